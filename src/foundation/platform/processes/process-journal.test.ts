import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { testWhen } from '../../../../test/support/when.ts'
import { ProcessJournal, readJournal } from './process-journal.ts'

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-journal-'))
afterAll(() => rmSync(folder, { recursive: true }))
const owner = { supervisor: { pid: 2, start: '3' }, runner: { pid: 1, start: '2' }, scope: 'here' }
let files = 0
const freshPath = () => join(folder, `journal-${++files}`)

it('tells what is open, whatever was opened, started and closed before', () => {
  const step = fc.record({ marker: fc.constantFrom('a', 'b', 'c'), what: fc.constantFrom('open', 'started', 'close') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const path = freshPath()
      const journal = new ProcessJournal(path, owner)
      const open = new Map<string, { pid: number; start: string } | null>()
      steps.forEach(({ marker, what }, index) => {
        if (what === 'open' && !open.has(marker)) {
          journal.open(marker)
          open.set(marker, null)
        } else if (what === 'started' && open.has(marker)) {
          journal.started(marker, { pid: index, start: 'x' })
          open.set(marker, { pid: index, start: 'x' })
        } else if (what === 'close' && open.has(marker)) {
          journal.close(marker)
          open.delete(marker)
        }
      })
      journal.dispose()
      const read = readJournal(path)
      expect(read?.owner).toEqual(owner)
      expect(new Map(read?.open.map(({ marker, main }) => [marker, main]))).toEqual(open)
    }),
    { numRuns: 50 },
  )
})

it('leaves out a last line that a crash has torn', () => {
  const path = freshPath()
  const journal = new ProcessJournal(path, owner)
  journal.open('a')
  journal.dispose()
  appendFileSync(path, '{"closed":"a')
  expect(readJournal(path)?.open).toEqual([{ marker: 'a', main: null }])
})

it('stays small, and keeps what is open when it is written anew', () => {
  const path = freshPath()
  const journal = new ProcessJournal(path, owner)
  journal.open('long')
  journal.started('long', { pid: 7, start: 's' })
  for (let index = 0; index < 20_000; index++) {
    journal.open(`short-${index}`)
    journal.close(`short-${index}`)
  }
  journal.dispose()
  expect(statSync(path).size).toBeLessThan(1_100_000)
  expect(readJournal(path)?.open).toEqual([{ marker: 'long', main: { pid: 7, start: 's' } }])
})

it('is none where there is no file', () => {
  expect(readJournal(join(folder, 'none'))).toBe(null)
})

testWhen(existsSync('/dev/full'), 'there is no /dev/full')('refuses to open an attempt on a full disk', () => {
  expect(() => new ProcessJournal('/dev/full', owner)).toThrow('ENOSPC')
})
