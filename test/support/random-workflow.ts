import type { Random } from '../../src/foundation/kernel/random.ts'
import type { WorkflowSource } from '../../src/orchestration/workflows/workflow-contract.ts'

type Steps = WorkflowSource['steps']
type Step = Steps[string]

export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)]!
}

export function chance(random: Random, share: number): boolean {
  return random.next() < share
}

/** A workflow that others call. */
export const leaf = JSON.stringify({
  name: 'leaf',
  steps: {
    x: { command: ['x'], retry: { attempts: 2, backoff: { initial: '1s' } } },
    y: { needs: 'x', command: ['y'], concurrency: { key: 'shared', limit: 2 } },
  },
  outputs: { done: true },
})

/** A random graph of steps of every kind. JSON is YAML too. */
export function randomWorkflow(random: Random, name: string): string {
  const steps: Record<string, Step> = {}
  const count = 1 + Math.floor(random.next() * 6)
  for (let n = 0; n < count; n++) {
    const needs = Object.keys(steps).filter(() => chance(random, 0.35))
    const more = {
      needs,
      ...(chance(random, 0.2) ? { allowFailure: true } : {}),
      ...(chance(random, 0.1) ? { if: '1 > 2' } : {}),
    }
    steps[`s${n}`] = { ...randomStep(random), ...more } as Step
  }
  return JSON.stringify({
    name,
    steps,
    ...(chance(random, 0.5) ? { finally: { tidy: { command: ['tidy'] } } } : {}),
    ...(chance(random, 0.3) ? { budget: { runs: 3 + Math.floor(random.next() * 9), wall: '1h' } } : {}),
    ...(chance(random, 0.2) ? { concurrency: { key: 'turns', limit: 2 } } : {}),
    ...(chance(random, 0.1) ? { timeout: '20m' } : {}),
    ...(chance(random, 0.2) ? { onEnd: ['told'] } : {}),
  } satisfies WorkflowSource)
}

function randomStep(random: Random): Step {
  const work = {
    command: ['do'],
    ...(chance(random, 0.4) ? { retry: { attempts: 3, backoff: { initial: '1s', jitter: 0.5 } } } : {}),
    ...(chance(random, 0.3)
      ? { concurrency: { key: oneOf(random, ['k1', 'k2']), limit: 1 + Math.floor(random.next() * 2) } }
      : {}),
    ...(chance(random, 0.3) ? { priority: 1 + Math.floor(random.next() * 10) } : {}),
    ...(chance(random, 0.2) ? { capabilities: ['gpu'] } : {}),
    ...(chance(random, 0.2) ? { pool: 'other' } : {}),
  }
  return oneOf<() => Step>(random, [
    () => work,
    () => work,
    () => ({ map: { over: [1, 2, 3, 4], parallel: 1 + Math.floor(random.next() * 3), tolerate: '50%', step: work } }),
    () => ({ map: { over: [1, 2], parallel: 1, step: { workflow: 'leaf' } } }),
    () => ({ approval: { message: 'm', deadline: '2m', default: oneOf(random, ['approve', 'reject'] as const) } }),
    () => ({
      gate: {
        onFail: oneOf(random, ['block', 'review', 'allow'] as const),
        checks: [{ name: 'c', command: ['c'] }],
        deadline: '2m',
      },
    }),
    () => ({ wait: { for: '1m' } }),
    () => ({ workflow: 'leaf', retry: { attempts: 2, backoff: { initial: '1s' } }, timeout: '15m' }),
  ])()
}
