import { describe, expect, test } from 'vitest'
import { runCrowd } from '../bench/chaos/crowd.ts'

/** The short form of `node bench/chaos/clients.ts`, which is 1,000 clients for a minute. */
describe('a crowd of clients', () => {
  test('is answered, misses no event, and is let go in good order', { timeout: 180_000 }, async () => {
    const { faults, events, answers, memory, end } = await runCrowd({ clients: 96, seconds: 5 })
    expect(faults).toEqual([])
    expect(answers['200']).toBeGreaterThan(50)
    expect(events.written).toBeGreaterThan(5)
    expect(events).toMatchObject({ lost: 0, doubled: 0, torn: 0 })
    expect(events.delivered).toBeGreaterThan(events.written)
    expect(memory.mostMb).toBeLessThan(1_000)
    expect(end).toMatchObject({ exitCode: 0, begun: end.answered })
    expect(end.begun).toBeGreaterThan(100)
  })
})
