import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '../../src/client/client.ts'
import { createRetry } from '../../src/client/retry.ts'
import { startRun } from '../../src/contract.ts'
import { isAppError, messageOf } from '../../src/foundation/kernel/errors.ts'
import type { Random } from '../../src/foundation/kernel/random.ts'
import type { StartRun } from '../../src/orchestration/runs/runs-contract.ts'
import type { Api, FleetProcess } from './fleet-process.ts'

/** A server that says nothing for so long is left for another, ms. */
const answerMs = 4_000
/** How long answers are awaited when nothing more arrives, ms. A server that dies leaves its request to others after a minute. */
const patienceMs = 5_000

export interface ArrivalSettings {
  readonly serves: readonly FleetProcess[]
  /** Where tasks leave their traces; it holds the repository, too. */
  readonly traces: { readonly folder: string; readonly repo: string }
  readonly taskScript: string
  readonly random: Random
  readonly runsPerSecond: number
}

export interface Arrivals {
  /** How many there were, numbered from 0. */
  readonly count: number
  /** The run that each was told of. Those whose answer was not awaited any more are missing. */
  readonly runs: ReadonlyMap<number, string>
  /** Requests that had to be sent again. */
  readonly repeats: number
  /** Why, by code. */
  readonly refusals: Readonly<Record<string, number>>
}

/**
 * Three layers of tasks of 20 to 500 ms. Some fail at first, some work in a worktree of their own, a few of all runs
 * together may join at a time, and what they may spend is held.
 */
export function chaosWorkflow(settings: Pick<ArrivalSettings, 'traces' | 'taskScript'>): string {
  const { traces, taskScript } = settings
  const work = (seconds: string, fails: string) => `command: [sh, ${JSON.stringify(taskScript)}]
    env: { PLACE: ${JSON.stringify(traces.folder)}, SECONDS_LONG: '${seconds}', FAILS: '${fails}' }
    timeout: 60s
    retry: { attempts: 3, backoff: { initial: 200ms } }
    outputs: { attempt: json }`
  return `name: chaos
inputs:
  first: {}
  times: { type: json }
  last: {}
  fails: { type: boolean }
  tree: { type: boolean }
budget: { wall: 2h }
steps:
  first:
    ${work('${{ inputs.first }}', 'false')}
  fan:
    needs: [first]
    map:
      over: \${{ inputs.times }}
      as: seconds
      step:
    ${work('${{ seconds }}', '${{ inputs.fails && index == 0 }}').replaceAll('\n    ', '\n        ').replace(/^/, '    ')}
  tree:
    needs: [first]
    if: inputs.tree
    workspace: worktree
    ${work('${{ inputs.last }}', 'false')}
  join:
    needs: [fan, tree]
    concurrency: { key: join, limit: 6 }
    ${work('${{ inputs.last }}', 'false')}
finally:
  tidy:
    ${work('0.02', 'false')}
`
}

/** Starts runs at a steady rate, by chance, until `signal` aborts; then waits for the answers that are on their way. */
export async function keepArriving(settings: ArrivalSettings, signal: AbortSignal): Promise<Arrivals> {
  const { random, runsPerSecond } = settings
  const runs = new Map<number, string>()
  const under = new Set<Promise<void>>()
  const text = chaosWorkflow(settings)
  const refusals = new Map<string, number>()
  let repeats = 0
  let deadline = Number.POSITIVE_INFINITY
  const seconds = () => (0.02 + random.next() * 0.48).toFixed(3)
  const arrive = async (n: number, body: StartRun) => {
    for (let attempt = 0; ; attempt++) {
      const api = settings.serves[(n + attempt) % settings.serves.length]!.api()
      try {
        if (api === null) throw new Error('the server is away')
        runs.set(n, await callOnce(api, `chaos-${n}`, body))
        return
      } catch (error) {
        repeats += 1
        if (performance.now() > deadline) return
        const what = isAppError(error) ? error.code : messageOf(error)
        refusals.set(what, (refusals.get(what) ?? 0) + 1)
        // It was done, and nobody can say any more with which answer.
        if (what === 'idempotency-unknown') return
        await sleep(attempt < 3 ? 20 : 300)
      }
    }
  }
  const callOnce = async (api: Api, key: string, body: StartRun) => {
    const client = createClient({ ...api, retry: createRetry({ attempts: 1, newKey: () => key }) })
    const { id } = await client.call(startRun, { body, signal: AbortSignal.timeout(answerMs) })
    return id
  }
  let count = 0
  for (; !signal.aborted; count++) {
    const tree = random.next() < 0.15
    const body: StartRun = {
      source: { text, fileName: 'chaos.yaml' },
      inputs: {
        first: seconds(),
        times: Array.from({ length: 1 + Math.floor(random.next() * 4) }, seconds),
        last: seconds(),
        fails: random.next() < 0.3,
        tree,
      },
      labels: { arrival: String(count) },
      ...(tree ? { repo: settings.traces.repo } : {}),
    }
    const one = arrive(count, body)
    under.add(one)
    one.finally(() => under.delete(one))
    await sleep((-Math.log(1 - random.next()) * 1_000) / runsPerSecond, undefined, { signal }).catch(() => {})
  }
  deadline = performance.now() + patienceMs
  await Promise.all(under)
  return { count, runs, repeats, refusals: Object.fromEntries(refusals) }
}
