import { showBytes } from './git/path-name.ts'
import { isCode, listHeadFiles, noSkips, readTextFiles } from './head-files.ts'
import { runProgram, type Step } from './program.ts'
import { type Finding, percent, plural } from './result.ts'
import { type CloneClass, gatherClasses } from './rules/clone-classes.ts'
import { type Clone, cleanLines, createCloneFinder } from './rules/duplicate-windows.ts'

export interface DuplicateBlock {
  readonly places: readonly { readonly path: string; readonly from: number; readonly to: number }[]
  readonly copies: number
  /** Lines of code (comments, imports, blank lines and lone brackets not counted) in one copy. */
  readonly lines: number
}

export interface DuplicatesFacts {
  readonly filesCompared: number
  /** Lines of code as compared. */
  readonly lines: number
  readonly duplicatedLines: number
  /** The same for tests, which are counted apart. */
  readonly testLines: number
  readonly duplicatedTestLines: number
  /** Blocks in non-test code, by (copies - 1) x lines, at most 20, and two of a file. */
  readonly blocks: readonly DuplicateBlock[]
  /** Pairs of files that share most lines, at most 10; tests included. */
  readonly pairs: readonly {
    readonly a: string
    readonly b: string
    readonly lines: number
    readonly shareOfSmaller: number
  }[]
}

/** Short enough for a copied function, long enough that idioms do not count. */
export const windowLines = 8
/** Migrations and translations repeat on purpose. */
const frozen = /(^|\/)(migrations?|db\/migrate|alembic\/versions|lang|locales?|i18n|l10n|translations)\//i
const mostWindows = 4_000_000
const leastBytesOfLine = 16

export const duplicates: Step<DuplicatesFacts> = {
  name: 'duplicates',
  about: `Code that stands at two places or more: ${windowLines} equal lines in a row, white space, comments and imports aside.`,
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    // Source before tests: where a test copies the source, the copy is the test's.
    const code = files
      .filter((file) => isCode(file) && !frozen.test(file.path))
      .sort((a, b) => Number(a.role === 'test') - Number(b.role === 'test'))
    const bytes = code.reduce((sum, file) => sum + file.size, 0)
    const capacity = Math.min(mostWindows, Math.ceil(bytes / leastBytesOfLine) + 64)
    const finder = createCloneFinder(windowLines, capacity)
    const skips = noSkips()
    const compared: { path: string; test: boolean }[] = []
    const clones: Clone[] = []
    const covered: Uint8Array[] = []
    const limits = { maxFileBytes: 500_000, maxTotalBytes: 4e8, expired, signal }
    for await (const file of readTextFiles(repository, code, limits, skips)) {
      if (file.role === 'generated' || file.language === null) continue
      progress(`${compared.length} of ${code.length} files`)
      const lines = cleanLines(file.text, file.language.comment)
      compared.push({ path: file.path, test: file.role === 'test' })
      covered.push(new Uint8Array(lines.hashes.length))
      for (const clone of finder.add(lines)) {
        clones.push(clone)
        covered[clone.fileA]!.fill(1, clone.startA, clone.startA + clone.length)
        covered[clone.fileB]!.fill(1, clone.startB, clone.startB + clone.length)
      }
    }
    const sum = (test: boolean, weigh: (marks: Uint8Array) => number) =>
      covered.reduce((total, marks, at) => (compared[at]!.test === test ? total + weigh(marks) : total), 0)
    const marked = (marks: Uint8Array) => marks.reduce((total, mark) => total + mark, 0)
    const place = (file: number, start: number, length: number) => {
      const { numbers } = finder.lines(file)
      return { path: showBytes(compared[file]!.path), from: numbers[start]!, to: numbers[start + length - 1]! }
    }
    const facts: DuplicatesFacts = {
      filesCompared: compared.length,
      lines: sum(false, (marks) => marks.length),
      duplicatedLines: sum(false, marked),
      testLines: sum(true, (marks) => marks.length),
      duplicatedTestLines: sum(true, marked),
      blocks: atMostTwoOfAFile(gatherClasses(clones.filter((clone) => !compared[clone.fileB]!.test)))
        .slice(0, 20)
        .map(({ length, places }) => ({
          lines: length,
          copies: places.length,
          places: places.slice(0, 6).map(({ file, start }) => place(file, start, length)),
        })),
      pairs: filePairs(
        clones,
        covered.map((marks) => marks.length),
      ).map(({ a, b, ...pair }) => ({
        a: showBytes(compared[a]!.path),
        b: showBytes(compared[b]!.path),
        ...pair,
      })),
    }
    const said: string[] = []
    if (finder.full())
      said.push(
        `Copies of code past the first ${plural(mostWindows, 'line')} are found only if the original is before that point.`,
      )
    if (skips.tooLarge > 0)
      said.push(`${plural(skips.tooLarge, 'file')} above 500 kB were not compared for duplicates.`)
    if (skips.notReached > 0)
      said.push(
        `${plural(skips.notReached, 'file')} were not compared for duplicates: the time or size limit was reached.`,
      )
    return { facts, findings: duplicateFindings(facts), limits: said }
  },
}

/** One file full of repetition must not hide the others. */
function atMostTwoOfAFile(classes: readonly CloneClass[]): CloneClass[] {
  const shown = new Map<number, number>()
  return classes.filter(({ places }) => {
    const file = places[0]!.file
    shown.set(file, (shown.get(file) ?? 0) + 1)
    return shown.get(file)! <= 2
  })
}

function filePairs(clones: readonly Clone[], sizes: readonly number[]) {
  const pairs = new Map<string, { a: number; b: number; lines: number }>()
  for (const { fileA, fileB, length } of clones) {
    if (fileA === fileB) continue
    const key = `${fileA} ${fileB}`
    const pair = pairs.get(key) ?? { a: fileA, b: fileB, lines: 0 }
    pairs.set(key, pair)
    pair.lines += length
  }
  return [...pairs.values()]
    .sort((x, y) => y.lines - x.lines)
    .slice(0, 10)
    .map((pair) => ({
      ...pair,
      shareOfSmaller: Math.round((pair.lines / Math.min(sizes[pair.a]!, sizes[pair.b]!)) * 100) / 100,
    }))
}

function duplicateFindings({ blocks, lines, duplicatedLines }: DuplicatesFacts): Finding[] {
  const largest = blocks[0]
  if (largest === undefined || duplicatedLines < 100) return []
  const share = duplicatedLines / Math.max(1, lines)
  const first = largest.places[0]!
  return [
    {
      id: 'duplicates/code',
      score: Math.min(66, 24 + share * 220 + Math.min(12, largest.lines / 20)),
      title: `${percent(duplicatedLines, lines)} of the code outside tests is copied (${plural(duplicatedLines, 'line')}); the largest block stands in ${plural(largest.copies, 'place')}`,
      why: 'A bug fixed in one copy stays in the others, and each copy must be read, tested and changed again.',
      next: `Start with ${first.path}:${first.from}-${first.to}: give the block one home, or say in a comment why the copies must differ.`,
      evidence: blocks.slice(0, 8).map(
        (block) =>
          `${plural(block.lines, 'line')} x ${block.copies}: ${block.places
            .slice(0, 3)
            .map((p) => `${p.path}:${p.from}`)
            .join('  =  ')}`,
      ),
    },
  ]
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(duplicates, argv)

if (import.meta.main) await main(process.argv.slice(2))
