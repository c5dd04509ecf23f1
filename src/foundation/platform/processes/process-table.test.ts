import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { platform } from 'node:os'
import { describe, expect, it } from 'vitest'
import { linuxProcessTable, markerIn, parseStat } from './linux-process-table.ts'
import { parsePsLine, psProcessTable } from './ps-process-table.ts'
import { systemProcessTable } from './system-process-table.ts'

const tables = platform() === 'linux' ? [linuxProcessTable, psProcessTable] : [psProcessTable]

describe.each(tables.map((make) => [make.name, make] as const))('%s', (_, make) => {
  const table = make()

  it('finds this process and a child of it', async () => {
    const child = spawn('cat', [], {
      env: { PATH: '/usr/bin:/bin', LEANVIBE_ATTEMPT: 'outer:x.1', Z: '1' },
      detached: true,
    })
    try {
      const own = table.find(process.pid)
      expect(own).toMatchObject({ pid: process.pid, parent: process.ppid, zombie: false })
      expect(Math.abs(own!.cpuSeconds - process.cpuUsage().user / 1e6)).toBeLessThan(5)
      expect(own!.rssBytes).toBeGreaterThan(20 * 1_048_576)
      const found = table.list().find((entry) => entry.pid === child.pid)
      expect(found).toMatchObject({ parent: process.pid, group: child.pid, session: child.pid })
      expect(table.find(child.pid!)).toMatchObject({ start: found!.start })
      expect(table.markerOf(child.pid!)).toBe('outer:x.1')
      expect(table.markerOf(process.pid)).toBe('')
    } finally {
      child.stdin.end()
      await once(child, 'close')
    }
    expect(table.find(child.pid!)).toBe(null)
    expect(table.markerOf(child.pid!)).toBe('')
  })
})

it('counts the CPU time of children once they are collected', async () => {
  const table = systemProcessTable()
  const before = table.collectedCpuSeconds()
  const child = spawn('bash', ['-c', 'i=0; while ((i < 100000)); do i=$((i+1)); done'])
  await once(child, 'exit')
  if (platform() === 'linux') expect(table.collectedCpuSeconds()! - before!).toBeGreaterThan(0.01)
  else expect(before).toBe(null)
})

it('reads a line of /proc whose program has brackets and blanks in its name', () => {
  const stat = '7 (a) (b c)) Z 1 2 3 0 -1 0 0 0 0 0 100 50 25 25 20 0 1 0 4242 1000 3 0'
  expect(parseStat(7, stat, 100, 4_096)).toEqual({
    pid: 7,
    parent: 1,
    group: 2,
    session: 3,
    zombie: true,
    start: '4242',
    cpuSeconds: 2,
    rssBytes: 12_288,
  })
})

it('finds the marker wherever it stands, and only that variable', () => {
  expect(markerIn('LEANVIBE_ATTEMPT=a.1\0B=2\0')).toBe('a.1')
  expect(markerIn('B=2\0LEANVIBE_ATTEMPT=a.1\0')).toBe('a.1')
  expect(markerIn('B=2\0LEANVIBE_ATTEMPT=a.1')).toBe('a.1')
  expect(markerIn('X_LEANVIBE_ATTEMPT=a.1\0')).toBe('')
  expect(markerIn('')).toBe('')
})

it('reads lines of ps as Linux and macOS print them', () => {
  expect(parsePsLine('  501     1   501      0 Ss    1234   0:01.50 Mon Jan  5 10:00:00 2026')).toEqual([
    {
      pid: 501,
      parent: 1,
      group: 501,
      session: 501,
      zombie: false,
      start: 'Mon Jan  5 10:00:00 2026',
      cpuSeconds: 1.5,
      rssBytes: 1234 * 1024,
    },
  ])
  expect(parsePsLine('9 8 7 6 Z 0 1-02:03:04 Mon Jan 5 10:00:00 2026')[0]).toMatchObject({
    session: 6,
    zombie: true,
    cpuSeconds: 93_784,
  })
  expect(parsePsLine('')).toEqual([])
})
