import { type Finding, plural } from '../result.ts'
import type { Results } from './results.ts'

export interface RiskyFile {
  readonly path: string
  readonly heat: number
  readonly commits: number
  readonly lines: number
  readonly fixes: number
  /** Names of the authors, most knowing first; null when ownership does not know the file. */
  readonly authors: readonly string[] | null
  readonly attended: boolean | null
  /** Whether some test mentions it; null when that could not be told. */
  readonly tested: boolean | null
  readonly copied: boolean
  /** What speaks against it, in words. */
  readonly risks: readonly string[]
}

/** The hot spots with everything the other steps know about them. */
export function joinHotSpots({ steps }: Results): RiskyFile[] {
  const owned = new Map(steps.ownership?.facts?.busyFiles.map((file) => [file.path, file]))
  const tests = steps.tests?.facts
  const untested = new Set(tests?.untested.map((file) => file.path))
  const copied = new Set(steps.duplicates?.facts?.blocks.flatMap((block) => block.places.map((place) => place.path)))
  return (steps.churn?.facts?.hotSpots ?? []).slice(0, 15).map((file) => {
    const owner = owned.get(file.path)
    const tested = tests?.named.telling ? !untested.has(file.path) : null
    const risks: string[] = []
    if (owner !== undefined && !owner.attended) risks.push('nobody active knows it')
    else if (owner?.authors.length === 1) risks.push(`only ${owner.authors[0]} knows it well`)
    if (tested === false) risks.push('no test mentions it')
    if (copied.has(file.path)) risks.push('it holds copied code')
    if (file.commits >= 5 && file.fixes / file.commits >= 0.4)
      risks.push(`${file.fixes} of ${file.commits} commits are fixes`)
    const { path, heat, commits, lines, fixes } = file
    return {
      path,
      heat,
      commits,
      lines,
      fixes,
      authors: owner?.authors ?? null,
      attended: owner?.attended ?? null,
      tested,
      copied: copied.has(path),
      risks,
    }
  })
}

/** What only shows when the steps are laid side by side. */
export function combinedFindings(results: Results): Finding[] {
  return [...risky(results), ...lonelyFolders(results)]
}

function risky(results: Results): Finding[] {
  const alone = (results.steps.ownership?.facts?.people ?? 0) < 2
  const files = joinHotSpots(results).filter((file) => {
    const serious = file.risks.filter((risk) => !(alone && risk.startsWith('only ')) && !risk.includes('copied'))
    return file.commits >= 8 && file.lines >= 150 && serious.length >= 2
  })
  const first = files[0]
  if (first === undefined) return []
  return [
    {
      id: 'combined/risky-files',
      score: Math.min(80, 60 + files.length * 2 + first.risks.length * 3),
      title: `${first.path} is busy (${plural(first.commits, 'commit')}): ${first.risks.slice(0, 2).join(', ')}${files.length > 1 ? `; so with ${files.length - 1} more` : ''}`,
      why: 'Each of these alone is common; together they mark the places where the next incident is likely and the repair slow.',
      next: 'Put these files first: a second person reviews every change to them, and the next change brings a test.',
      evidence: files
        .slice(0, 8)
        .map(
          (file) =>
            `${file.path}: ${plural(file.commits, 'commit')}, ${plural(file.lines, 'line')}; ${file.risks.join('; ')}`,
        ),
    },
  ]
}

function lonelyFolders({ folders, steps }: Results): Finding[] {
  if ((steps.ownership?.facts?.activePeople ?? 0) < 3) return []
  const lonely = folders
    .map((result) => result.facts)
    .filter((facts) => facts !== null)
    .filter((facts) => facts.commits >= 20 && facts.sourceLines >= 1000 && (facts.authors[0]?.share ?? 0) >= 0.8)
    .sort((a, b) => b.sourceLines - a.sourceLines)
  if (lonely.length === 0) return []
  return [
    {
      id: 'combined/lonely-folders',
      score: Math.min(62, 44 + lonely.length * 3),
      title:
        lonely.length === 1
          ? `${lonely[0]!.name} is written almost by ${lonely[0]!.authors[0]!.name} alone now`
          : `${lonely.length} busy folders are written almost by one person each now`,
      why: 'In the recent commits four lines of five there come from a single author, although others are active elsewhere.',
      next: 'Give the next two changes there to somebody else, with that author as reviewer.',
      evidence: lonely
        .slice(0, 8)
        .map(
          (facts) =>
            `${facts.name}: ${facts.authors[0]!.name} ${Math.round(facts.authors[0]!.share * 100)} % of the lines of ${plural(facts.commits, 'commit')}`,
        ),
    },
  ]
}
