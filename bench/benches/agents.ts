import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { leaseToFirstMessage } from '../ours/agent-bench-kit.ts'
import { kindsToMeasure } from '../ours/agent-kinds.ts'
import { memoryOfIdleSessions } from '../ours/idle-sessions.ts'
import { mergesPerMinute } from '../ours/merge-line.ts'
import { worktreeTimes } from '../ours/worktree-times.ts'

const files = 10_000
const merges = 24
/** Where `merges.batch` asks for it; the default is one by one. */
const batch = 8
const sessions = 100
/** Attempts of each kind in a round, after one that warms up. */
const samples = 4
const parts = ['kinds', 'worktrees', 'merges', 'sessions'] as const
type Note = (text: string) => void

async function kindResults(rounds: number, note: Note) {
  const { kinds, left } = kindsToMeasure()
  const results = []
  for (const kind of kinds) {
    const times = await leaseToFirstMessage(kind, samples * rounds, 1)
    results.push(...spreadResults(`lease to first message, ${kind.kind}`, times, 'ms'))
    note(`${kind.kind}: done`)
  }
  if (left.length > 0) note(`not measured here: ${left.join(', ')}`)
  return results
}

async function worktreeResults(rounds: number) {
  const { made, removed } = await worktreeTimes(files, rounds)
  return [
    ...spreadResults(`worktree of ${files} files, made`, made, 'ms'),
    ...spreadResults(`worktree of ${files} files, removed`, removed, 'ms'),
  ]
}

async function mergeResults(rounds: number) {
  const perMinute: number[] = []
  const together: number[] = []
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    perMinute.push(await mergesPerMinute(merges, 1))
    together.push(await mergesPerMinute(merges, batch))
  }
  return [
    ...spreadResults('merges through one queue, one by one', perMinute, 'a minute'),
    ...spreadResults(`merges through one queue, ${batch} together`, together, 'a minute'),
  ]
}

async function sessionResults() {
  const idle = await memoryOfIdleSessions(sessions)
  const rounded = (value: number) => Math.round(value * 10) / 10
  const name = `${sessions} idle ACP sessions`
  return [
    { name: `${name}, ours`, value: rounded(idle.ours), unit: 'MiB' },
    { name: `${name}, supervisor`, value: rounded(idle.supervisor), unit: 'MiB' },
    { name: `${name}, to open`, value: rounded(idle.openSeconds), unit: 's' },
  ]
}

/** What the platform adds to agents of every kind, and to the work on a repository around them. No targets: it reports. */
export const bench: StandaloneBench = {
  standalone: true,
  parts,
  targets: {},
  async measure({ rounds, only, note }) {
    const measures = {
      kinds: () => kindResults(rounds, note),
      worktrees: () => worktreeResults(rounds),
      merges: () => mergeResults(rounds),
      sessions: sessionResults,
    }
    const results = []
    for (const part of parts) {
      if (only !== null && !only.includes(part)) continue
      results.push(...(await measures[part]()))
      note(`${part}: done`)
    }
    return { results, ratios: {} }
  },
}
