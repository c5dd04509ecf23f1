import type { StandaloneBench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { leaseToFirstMessage } from '../ours/agent-bench-kit.ts'
import { kindsToMeasure } from '../ours/agent-kinds.ts'
import { memoryOfIdleSessions } from '../ours/idle-sessions.ts'
import { mergesPerMinute } from '../ours/merge-line.ts'
import { worktreeTimes } from '../ours/worktree-times.ts'

const files = 10_000
const merges = 24
/** As it is configured by default. */
const batch = 8
const sessions = 100
/** Attempts of each kind in a round, after one that warms up. */
const samples = 4

/** What the platform adds to agents of every kind, and to the work on a repository around them. No targets: it reports. */
export const bench: StandaloneBench = {
  standalone: true,
  targets: {},
  async measure({ rounds, note }) {
    const { kinds, left } = kindsToMeasure()
    const times = new Map<string, number[]>()
    for (const kind of kinds) {
      times.set(kind.kind, await leaseToFirstMessage(kind, samples * rounds, 1))
      note(`${kind.kind}: done`)
    }
    if (left.length > 0) note(`not measured here: ${left.join(', ')}`)
    const { made, removed } = await worktreeTimes(files, rounds)
    note('worktrees: done')
    const perMinute: number[] = []
    const together: number[] = []
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      perMinute.push(await mergesPerMinute(merges, 1))
      together.push(await mergesPerMinute(merges, batch))
    }
    note('merges: done')
    const idle = await memoryOfIdleSessions(sessions)
    note('idle sessions: done')
    return {
      results: [
        ...[...times].flatMap(([kind, all]) => spreadResults(`lease to first message, ${kind}`, all, 'ms')),
        ...spreadResults(`worktree of ${files} files, made`, made, 'ms'),
        ...spreadResults(`worktree of ${files} files, removed`, removed, 'ms'),
        ...spreadResults('merges through one queue, one by one', perMinute, 'a minute'),
        ...spreadResults(`merges through one queue, ${batch} together`, together, 'a minute'),
        { name: `${sessions} idle ACP sessions, ours`, value: Math.round(idle.ours * 10) / 10, unit: 'MiB' },
        {
          name: `${sessions} idle ACP sessions, supervisor`,
          value: Math.round(idle.supervisor * 10) / 10,
          unit: 'MiB',
        },
        { name: `${sessions} idle ACP sessions, to open`, value: Math.round(idle.openSeconds * 10) / 10, unit: 's' },
      ],
      ratios: {},
    }
  },
}
