import fc from 'fast-check'
import { expect, it } from 'vitest'
import { findFamilies } from './find-families.ts'
import type { ProcessEntry } from './process-table.ts'

function entry(pid: number, parent: number, more: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parent, group: pid, session: pid, zombie: false, start: `s${pid}`, cpuSeconds: 0, rssBytes: 0, ...more }
}

const target = { marker: 'task-1.1', main: { pid: 10, start: 's10' } }
const pidsOf = (family: readonly ProcessEntry[] | undefined) => family?.map((one) => one.pid)
const noMarkers = () => ''

it('takes what descends from the main process, however deep, whatever its group', () => {
  const entries = [entry(10, 5), entry(11, 10), entry(12, 11), entry(13, 5), entry(5, 1)]
  expect(pidsOf(findFamilies(entries, [target], noMarkers).get(target))).toEqual([10, 11, 12])
})

it('takes what carries the marker though it left the tree, also from inside a nested attempt', () => {
  const entries = [entry(20, 1), entry(21, 1), entry(22, 21), entry(23, 1)]
  const markers: Record<number, string> = { 20: 'task-1.1', 21: 'outer:task-1.1:inner', 23: 'task-1.11' }
  const families = findFamilies(entries, [target], (one) => markers[one.pid] ?? '')
  expect(pidsOf(families.get(target))).toEqual([20, 21, 22])
})

it('takes the members of the session of the main process, as long as one of them is known', () => {
  const entries = [entry(11, 1, { session: 10 }), entry(12, 1, { session: 10 })]
  expect(pidsOf(findFamilies(entries, [target], noMarkers).get(target))).toEqual([])
  const known = { ...target, known: new Map([[11, 's11']]) }
  expect(pidsOf(findFamilies(entries, [known], noMarkers).get(known))).toEqual([11, 12])
})

it('leaves a process alone that has the number of the main one, but another start', () => {
  const entries = [entry(10, 1, { start: 'later' }), entry(11, 10)]
  expect(pidsOf(findFamilies(entries, [target], noMarkers).get(target))).toEqual([])
})

it('never takes process 1, the excluded, or what only they connect', () => {
  const entries = [entry(1, 0), entry(5, 1), entry(6, 5)]
  const families = findFamilies(entries, [target], (one) => (one.pid < 6 ? 'task-1.1' : ''), new Set([5]))
  expect(pidsOf(families.get(target))).toEqual([])
})

it('gives each process to one family at most, and every member a tie', () => {
  const trees = fc.array(
    fc.record({ parent: fc.nat(30), marker: fc.constantFrom('', '', 'a', 'b'), session: fc.nat(30) }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(trees, fc.integer({ min: 2, max: 30 }), (rows, main) => {
      const entries = rows.map((row, index) =>
        entry(index + 2, Math.min(row.parent, index + 1), { session: row.session }),
      )
      const markers = new Map(rows.map((row, index) => [index + 2, row.marker]))
      const targets = [
        { marker: 'a', main: { pid: main, start: `s${main}` } },
        { marker: 'b', main: null },
      ]
      const families = findFamilies(entries, targets, (one) => markers.get(one.pid) ?? '')
      const owned = new Map<number, string>()
      for (const [owner, family] of families) {
        for (const one of family) {
          expect(owned.has(one.pid)).toBe(false)
          owned.set(one.pid, owner.marker)
        }
      }
      for (const one of entries) {
        const marker = markers.get(one.pid)
        if (one.pid === main) expect(owned.get(one.pid)).toBe('a')
        else if (marker !== '') expect(owned.get(one.pid)).toBe(marker)
        else if (owned.has(one.pid)) {
          const tied = one.session === main || owned.get(one.parent) === owned.get(one.pid)
          expect(tied).toBe(true)
        } else expect(owned.has(one.parent) && one.parent > 1).toBe(false)
      }
    }),
  )
})
