import { hasRoom, type Strategy } from './candidate.ts'

/** Each in turn, in the order of ids, skipping the full. The turn goes on after the last one picked, also when others join or leave. */
export function roundRobin(lastPicked = ''): Strategy {
  let last = lastPicked
  return {
    turn: {
      read: () => last,
      resume: (from) => {
        last = typeof from === 'string' ? from : ''
      },
    },
    pick(candidates) {
      let first: (typeof candidates)[number] | null = null
      let next: (typeof candidates)[number] | null = null
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        if (first === null || candidate.id < first.id) first = candidate
        if (candidate.id > last && (next === null || candidate.id < next.id)) next = candidate
      }
      const picked = next ?? first
      if (picked !== null) last = picked.id
      return picked
    },
  }
}
