import { baseName, showBytes } from './git/path-name.ts'
import { type HeadFile, listHeadFiles, noSkips, readTextFiles } from './head-files.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'
import { findSecrets } from './rules/find-secrets.ts'
import { confidenceOf, type Leak, rankLeaks } from './rules/leaks.ts'
import { isFilledEnvironment, sensitiveFile } from './rules/sensitive-files.ts'
import { leakFindings } from './secrets-findings.ts'

export interface SecretsFacts {
  readonly filesScanned: number
  readonly bytesScanned: number
  readonly counts: { readonly likely: number; readonly possible: number; readonly inTests: number }
  /** Most likely first, at most 60. Values are masked. */
  readonly leaks: readonly Leak[]
  /** Files whose name alone says that they do not belong into a repository. */
  readonly sensitiveFiles: readonly { readonly path: string; readonly what: string }[]
}

export const secrets: Step<SecretsFacts> = {
  name: 'secrets',
  about: 'Tokens, keys and passwords in the files of the commit looked at. Values are always masked.',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const wanted = files.filter((file) => file.role !== 'lock')
    const skips = noSkips()
    const leaks: Leak[] = []
    const sensitive = findSensitiveFiles(files)
    let filesScanned = 0
    let bytesScanned = 0
    const limits = { maxFileBytes: 2_000_000, maxTotalBytes: 1e9, expired, signal }
    for await (const file of readTextFiles(repository, wanted, limits, skips)) {
      progress(`${++filesScanned} of ${wanted.length} files`)
      bytesScanned += file.size
      leaks.push(...scan(file.text, file))
      if (file.role === 'source' && isFilledEnvironment(baseName(file.path), file.text)) {
        sensitive.push({ path: showBytes(file.path), what: 'environment file with values' })
      }
    }
    const ranked = rankLeaks(leaks)
    const count = (confidence: Leak['confidence']) => ranked.filter((leak) => leak.confidence === confidence).length
    const facts: SecretsFacts = {
      filesScanned,
      bytesScanned,
      counts: { likely: count('likely'), possible: count('possible'), inTests: count('in tests') },
      leaks: ranked.slice(0, 60),
      sensitiveFiles: sensitive.slice(0, 20),
    }
    const said: string[] = []
    if (skips.tooLarge > 0) said.push(`${plural(skips.tooLarge, 'file')} above 2 MB were not searched for secrets.`)
    if (skips.notReached > 0)
      said.push(
        `${plural(skips.notReached, 'file')} were not searched for secrets: the time or size limit was reached.`,
      )
    return { facts, findings: leakFindings(facts), limits: said }
  },
}

function scan(text: string, file: HeadFile): Leak[] {
  const leaks: Leak[] = []
  let line = 0
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    line += 1
    for (const { rule, masked } of findSecrets(text.slice(start, end), text.slice(end + 1, end + 400))) {
      leaks.push({
        rule: rule.id,
        what: rule.what,
        path: showBytes(file.path),
        line,
        masked,
        confidence: confidenceOf(rule, file.path),
      })
    }
    start = end + 1
  }
  return leaks
}

function findSensitiveFiles(files: readonly HeadFile[]): { path: string; what: string }[] {
  const found: { path: string; what: string }[] = []
  for (const file of files) {
    const what =
      file.role === 'test' || file.role === 'vendored' || file.role === 'example'
        ? null
        : sensitiveFile(baseName(file.path), file.size)
    if (what !== null) found.push({ path: showBytes(file.path), what })
  }
  return found
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(secrets, argv)

if (import.meta.main) await main(process.argv.slice(2))
