import type { FreeAgent, Head, Lane, ShardSnapshot } from './decide.ts'

export function agent(
  id: string,
  slots = 1,
  used = 0,
  capabilities: readonly string[] = [],
  more: Partial<FreeAgent> = {},
): FreeAgent {
  return { id, slots, used, weight: 1, runnerId: `runner of ${id}`, capabilities: new Set(capabilities), ...more }
}

export function head(taskId: string, readySeq: number, holds: Head['holds'] = []): Head {
  return { taskId, readySeq, holds }
}

export function lane(
  name: string,
  heads: readonly Head[],
  priority = 5,
  capabilities: readonly string[] = [],
  more: Partial<Lane> = {},
): Lane {
  return { lane: name, priority, capabilities, heads, ...more }
}

export function snapshot(parts: Partial<ShardSnapshot>): ShardSnapshot {
  return { lanes: [], agents: [], budgets: new Map(), limit: 100, ...parts }
}
