import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ManualClock } from '../../foundation/kernel/clock.ts'
import { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import { BoundedJournal, usualBounds } from './bounded-journal.ts'
import { type ToolCallNote, toolCallNoteSchema } from './tool-calls-contract.ts'

const bounds = { ...usualBounds, gatherMs: 3_600_000, longestGatherMs: 3_600_000 }
const call = (tool: string, title = tool) => ({ tool, kind: 'read' as const, title })

function open(secrets: readonly string[] = []) {
  const clock = new ManualClock()
  const notes: ToolCallNote[] = []
  const journal = new BoundedJournal({
    ...{ source: 'acp', masker: new SecretMasker(secrets), clock, bounds },
    note: (note) => void notes.push(note),
    flush: async () => {},
  })
  return { clock, notes, journal }
}

it('tells of a call when it begins, and when it has ended', () => {
  const { clock, notes, journal } = open()
  journal.started('a', call('grep'))
  journal.started('a', call('grep'))
  clock.advance(1_500)
  journal.ended('a', 'failed')
  journal.ended('a', 'completed')
  journal.ended('b', 'completed')
  expect(notes).toMatchObject([
    { n: 0, source: 'acp', tool: 'grep', kind: 'read', state: 'started', calls: 1, failed: 0, durationMs: null },
    { n: 0, state: 'failed', calls: 1, failed: 1, durationMs: 1_500 },
  ])
})

it('tells of what its agent leaves under way', async () => {
  const { notes, journal } = open()
  journal.started('a', call('make'))
  await journal.close()
  journal.started('b', call('late'))
  expect(notes.map(({ state }) => state)).toEqual(['started', 'abandoned'])
})

it('shows neither secrets nor control characters, nor more than a line', () => {
  const { notes, journal } = open(['hunter2hunter2'])
  journal.started('a', call('run\u001b[2J', `echo hunter2hunter2\n${'x'.repeat(5_000)}`))
  expect(notes[0]!.tool).toBe('run [2J')
  expect(notes[0]!.title).toMatch(/^echo \*\*\* x+…$/)
  expect(notes[0]!.title).toHaveLength(200)
})

it('tells of a flood in sums', async () => {
  const { notes, journal } = open()
  for (let n = 0; n < 100_000; n++) {
    journal.started(String(n), call(n % 4 === 0 ? 'edit' : 'read'))
    journal.ended(String(n), n % 10 === 0 ? 'failed' : 'completed')
  }
  await journal.close()
  const [last] = notes.filter(({ state }) => state === 'gathered')
  expect(notes).toHaveLength(2 * bounds.burst + 1)
  expect(last).toMatchObject({ tool: 'several', calls: 100_000 - bounds.burst, title: /^read \(\d+\), edit \(\d+\)$/ })
  expect(notes.reduce((sum, { failed }) => sum + failed, 0)).toBe(10_000)
})

const act = fc.oneof(
  fc.record({ kind: fc.constant('start' as const), key: fc.nat(40), tool: fc.constantFrom('a', 'b', 'c') }),
  fc.record({
    kind: fc.constant('end' as const),
    key: fc.nat(40),
    end: fc.constantFrom('completed' as const, 'failed' as const, 'refused' as const),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(5_000) }),
)

it('counts every call, ends each at most once, and is never faster than its bounds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 400 }), async (acts) => {
      const { clock, notes, journal } = open()
      const under = new Set<number>()
      let started = 0
      let failed = 0
      let refused = 0
      for (const each of acts) {
        if (each.kind === 'wait') clock.advance(each.ms)
        else if (each.kind === 'start') {
          if (!under.has(each.key)) started += 1
          under.add(each.key)
          journal.started(String(each.key), call(each.tool))
        } else {
          if (under.delete(each.key)) {
            failed += each.end === 'failed' ? 1 : 0
            refused += each.end === 'refused' ? 1 : 0
          }
          journal.ended(String(each.key), each.end)
        }
      }
      const elapsed = clock.monotonic() / 1_000
      await journal.close()
      const newest = [...new Map(notes.map((note) => [note.n, note])).values()]
      const sum = (of: (note: ToolCallNote) => number) => newest.reduce((all, note) => all + of(note), 0)
      expect(sum(({ calls }) => calls)).toBe(started)
      expect(sum((note) => note.failed)).toBe(failed)
      expect(sum((note) => note.refused)).toBe(refused)
      expect(newest.every(({ state }) => state !== 'started')).toBe(true)
      expect(notes.filter(({ state }) => state === 'started').length).toBeLessThanOrEqual(bounds.burst + elapsed)
      for (const note of notes) toolCallNoteSchema.parse(note)
    }),
    { numRuns: 300 },
  )
})
