import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { platform } from 'node:os'
import { expect } from 'vitest'
import { testWhen } from '../../../../test/support/when.ts'
import { ForeignProcesses } from './foreign-processes.ts'
import { linuxProcessTable } from './linux-process-table.ts'

testWhen(platform() === 'linux', 'only on Linux')(
  'leaves out what was settled as foreign, and nothing else',
  async () => {
    const table = linuxProcessTable()
    let now = 0
    const foreign = new ForeignProcesses(() => now)
    const children: ChildProcess[] = [spawn('sleep', ['100']), spawn('sleep', ['100'])]
    const [mine, theirs] = children.map((child) => child.pid!)
    const seen = () => table.list(foreign).map((entry) => entry.pid)
    try {
      expect(seen()).toEqual(expect.arrayContaining([mine, theirs, process.pid]))
      foreign.settle(new Set([mine!]))
      // A process may still be about to show its environment.
      expect(seen()).toContain(theirs)
      foreign.settle(new Set([mine!]))
      now = 1_500
      const after = seen()
      expect(after).toContain(mine)
      expect(after).not.toContain(theirs)
      expect(after).not.toContain(process.pid)
      foreign.settle(new Set([mine!]))
      const late = spawn('sleep', ['100'])
      children.push(late)
      expect(seen()).toEqual(expect.arrayContaining([mine, late.pid]))
    } finally {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(children.map((child) => once(child, 'exit')))
    }
    foreign.settle(new Set())
    expect(seen()).not.toContain(mine)
  },
)
