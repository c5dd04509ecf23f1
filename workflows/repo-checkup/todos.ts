import { dateLines } from './git/date-lines.ts'
import { showBytes } from './git/path-name.ts'
import { listHeadFiles, maxTextBytes, noSkips, readTextFiles } from './head-files.ts'
import { runProgram, type Step } from './program.ts'
import { type Finding, plural, showDay } from './result.ts'
import { type DebtKind, findDebt } from './rules/debt-markers.ts'

export interface Debt {
  readonly path: string
  readonly line: number
  readonly kind: DebtKind
  readonly text: string
  readonly at: number
  readonly author: string
}

export interface TodosFacts {
  readonly total: number
  readonly byKind: Readonly<Record<DebtKind, number>>
  /** Markers that name an issue or a link. */
  readonly tracked: number
  readonly dated: number
  /** Dated markers by age at the commit looked at. */
  readonly ages: {
    readonly underQuarter: number
    readonly underYear: number
    readonly underThreeYears: number
    readonly older: number
  }
  readonly medianDays: number | null
  readonly oldest: readonly Debt[]
  readonly folders: readonly { readonly folder: string; readonly markers: number }[]
}

const maxDated = 3000
const day = 86_400

export const todos: Step<TodosFacts> = {
  name: 'todos',
  about: 'TODO, FIXME, HACK and XXX in comments, and how long they have been there.',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const wanted = files.filter((file) => file.role === 'source' || file.role === 'test' || file.role === 'example')
    const skips = noSkips()
    const byKind: Record<DebtKind, number> = { TODO: 0, FIXME: 0, HACK: 0, XXX: 0 }
    const found: { path: string; oid: string; line: number; kind: DebtKind; text: string }[] = []
    let tracked = 0
    const limits = { maxFileBytes: maxTextBytes, maxTotalBytes: 6e8, expired, signal }
    for await (const file of readTextFiles(repository, wanted, limits, skips)) {
      if (file.language?.use !== 'code' || file.role === 'generated') continue
      progress(`${found.length} markers so far`)
      for (const marker of findDebt(file.text, file.language)) {
        byKind[marker.kind] += 1
        if (marker.tracked) tracked += 1
        found.push({ path: file.path, oid: file.oid, line: marker.line, kind: marker.kind, text: marker.text })
      }
    }
    const sample = sampleEvenly(found, maxDated)
    const dates = await dateLines(repository, sample, { signal, expired, progress })
    const dated = sample.flatMap((marker, at) => {
      const origin = dates.origins[at]
      return origin === undefined ? [] : [{ ...marker, ...origin }]
    })
    const ages = dated.map((debt) => Math.max(0, dates.newest - debt.at)).sort((a, b) => a - b)
    const between = (from: number, to: number) => ages.filter((age) => age >= from * day && age < to * day).length
    const facts: TodosFacts = {
      total: found.length,
      byKind,
      tracked,
      dated: dated.length,
      ages: {
        underQuarter: between(0, 91),
        underYear: between(91, 365),
        underThreeYears: between(365, 1096),
        older: between(1096, Number.POSITIVE_INFINITY),
      },
      medianDays: ages.length === 0 ? null : Math.round(ages[Math.floor(ages.length / 2)]! / day),
      oldest: dated
        .sort((a, b) => a.at - b.at)
        .slice(0, 15)
        .map(({ path, line, kind, text, at, author }) => ({
          path: showBytes(path),
          line,
          kind,
          text: showBytes(text).slice(0, 120),
          at,
          author,
        })),
      folders: countFolders(found.map((marker) => marker.path)),
    }
    const said: string[] = []
    if (facts.total > 0)
      said.push(
        'The age of a marker is that of its line of text in the file of this name; a change of the line or of the file name starts it anew.',
      )
    if (facts.dated < facts.total) said.push(`Ages are known for ${facts.dated} of ${plural(facts.total, 'marker')}.`)
    if (repository.shallow) said.push('Ages of markers reach back to the edge of the shallow history only.')
    if (skips.notReached > 0)
      said.push(
        `${plural(skips.notReached, 'file')} were not searched for markers: the time or size limit was reached.`,
      )
    return { facts, findings: debtFindings(facts), limits: said }
  },
}

/** `limit` items spread evenly over the list; the list itself when it is short. */
export function sampleEvenly<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items]
  return Array.from({ length: limit }, (_, at) => items[Math.floor((at * items.length) / limit)]!)
}

function countFolders(paths: readonly string[]): { folder: string; markers: number }[] {
  const folders = new Map<string, number>()
  for (const path of paths) {
    const folder = path.includes('/') ? path.split('/').slice(0, -1).slice(0, 2).join('/') : '.'
    folders.set(folder, (folders.get(folder) ?? 0) + 1)
  }
  return [...folders]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, 8)
    .map(([folder, markers]) => ({ folder: showBytes(folder), markers }))
}

function debtFindings({ total, dated, ages, byKind, oldest, tracked }: TodosFacts): Finding[] {
  if (total < 5 || dated === 0) return []
  const old = Math.round((ages.older / dated) * total)
  const first = oldest[0]!
  if (old < 5) return []
  const about = dated < total ? 'about ' : ''
  return [
    {
      id: 'todos/old',
      score: Math.min(46, 22 + Math.log2(old) * 2.5 + Math.min(6, (byKind.FIXME + byKind.XXX) / 10)),
      title: `${about}${plural(old, 'marker')} of ${total.toLocaleString('en-US')} (TODO, FIXME, HACK, XXX) are older than three years; the oldest is of ${showDay(first.at)}`,
      why: `Nobody will do them as they stand, and they hide those that matter${tracked * 4 < total ? `; only ${tracked} name an issue` : ''}.`,
      next: 'Take the oldest ten: do it, turn it into an issue, or delete the comment.',
      evidence: oldest
        .slice(0, 8)
        .map((debt) => `${debt.path}:${debt.line} (${showDay(debt.at)}, ${debt.author}): ${debt.text.slice(0, 90)}`),
    },
  ]
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(todos, argv)

if (import.meta.main) await main(process.argv.slice(2))
