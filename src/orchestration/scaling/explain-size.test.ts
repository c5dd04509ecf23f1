import { expect, test } from 'vitest'
import { explainSize, type HostReading } from './explain-size.ts'

const size = (desired: number | null, agents: number, leaving = 0) => ({ desired, agents, leaving })
const host = (present: number | null, most = 4): HostReading => ({ runnerId: 'rnr_1', host: 'far', present, most })

test.each<[string, Parameters<typeof explainSize>, readonly (string | RegExp)[]]>([
  ['nothing is wanted', [size(null, 2), []], []],
  ['all are there', [size(2, 2), [host(2)]], []],
  ['nobody could', [size(3, 1), []], [/^2 of 3 missing: nobody is there/]],
  ['full', [size(9, 4), [host(4)]], [/the runner that could start them is full: far has 4 of 4/]],
  ['room', [size(9, 4), [host(4), { ...host(1), host: 'near' }]], [/being started on near/]],
  ['a process of its own', [size(9, 4), [host(null, 256)]], [/being started on far/]],
  ['on the way out', [size(1, 1, 2), [host(3)]], [/^2 on the way out/]],
])('%s', (_, [reading, hosts], notes) => {
  const told = explainSize(reading, hosts).notes
  expect(told).toHaveLength(notes.length)
  for (const [n, note] of notes.entries()) expect(told[n]).toMatch(note)
})
