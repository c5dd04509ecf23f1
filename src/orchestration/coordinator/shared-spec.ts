import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ResolvedTask } from '../workflows/workflow-contract.ts'

/**
 * What a task does not share with the other tasks of its step. The rows of tasks are written three times in their life:
 * what all tasks of a step have in common is kept once, beside them. A task that shares nothing holds it all, `kind` too.
 */
export type OwnSpec = JsonObject

export interface SplitSpecs {
  readonly shared: JsonObject
  /** Beside the specifications given; null where nothing is left. */
  readonly own: readonly (OwnSpec | null)[]
}

/** Takes the fields apart in which all specifications agree. */
export function splitSpecs(specs: readonly ResolvedTask[]): SplitSpecs {
  const all = specs as unknown as readonly JsonObject[]
  const [first = {}] = all
  const texts = new Map(Object.entries(first).map(([key, value]) => [key, JSON.stringify(value)]))
  const common = [...texts]
    .filter(([key, text]) => all.every((spec) => JSON.stringify(spec[key]) === text))
    .map(([key]) => key)
  const isCommon = new Set(common)
  // Without a common kind a task would not be told from one that shares nothing.
  if (!isCommon.has('kind')) return { shared: {}, own: all }
  return {
    shared: Object.fromEntries(common.map((key) => [key, first[key] ?? null])),
    own: all.map((spec) => {
      const rest = Object.entries(spec).filter(([key]) => !isCommon.has(key))
      return rest.length === 0 ? null : (Object.fromEntries(rest) as OwnSpec)
    }),
  }
}

/** The whole again. */
export function joinSpec(shared: JsonObject | undefined, own: OwnSpec | null): ResolvedTask {
  if (own !== null && 'kind' in own) return own as unknown as ResolvedTask
  if (shared !== undefined && (own === null || Object.keys(own).length === 0)) return shared as unknown as ResolvedTask
  return { ...shared, ...own } as unknown as ResolvedTask
}

/** The key of what the tasks of a step share: the common beginning of their ids. */
export function sharedKeyOf(taskId: string): string {
  const first = taskId.indexOf('.')
  return taskId.slice(0, taskId.indexOf('.', first + 1))
}
