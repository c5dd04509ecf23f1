import { expect, test } from 'vitest'
import { agentCounts } from './agent-counts.ts'

test.each([
  [{}, 'none'],
  [{ healthy: 0 }, 'none'],
  [{ offline: 40 }, 'none (40 offline)'],
  [{ healthy: 3, draining: 1 }, '3 healthy, 1 draining'],
  [{ offline: 40, healthy: 3 }, '3 healthy (40 offline)'],
])('%j is told as %s', (byState, text) => {
  expect(agentCounts(byState)).toBe(text)
})
