import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testWhen } from '../../../../test/support/when.ts'
import { placeForGroups } from './cgroup-place.fixture.ts'
import { Cgroups } from './cgroup-v2.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'leanvibe-cgroup-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** What a kernel shows of a service with a delegated group, as far as we read it. */
function delegated(over: Readonly<Record<string, string>> = {}): string {
  const base = 'sys/fs/cgroup/system.slice/leanvibe.service'
  const files = {
    'proc/self/cgroup': '1:name=systemd:/x\n0::/system.slice/leanvibe.service\n',
    'proc/self/mountinfo':
      '30 20 0:5 / /proc rw - proc proc rw\n31 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n',
    [`${base}/cgroup.controllers`]: 'cpuset cpu io memory pids\n',
    [`${base}/cgroup.subtree_control`]: '\n',
    [`${base}/cgroup.procs`]: '11\n12\n',
    ...Object.fromEntries(Object.entries(over).map(([name, text]) => [`${base}/${name}`, text])),
  }
  for (const [path, text] of Object.entries(files)) write(path, text)
  return base
}

describe('groups of our own', () => {
  test('are made below ours, after what runs there has moved out of the way', () => {
    const base = delegated()
    const groups = Cgroups.open([11, 12], root)!
    expect(read(`${base}/leanvibe/cgroup.procs`)).toBe('12')
    expect(read(`${base}/cgroup.subtree_control`)).toBe('+cpu +memory')
    const group = groups.create('task_1.2', { cpuCores: 1.5, memoryBytes: 1_000_000 })!
    const folder = `${base}/leanvibe-task_1.2`
    expect(read(`${folder}/memory.max`)).toBe('1000000')
    expect(read(`${folder}/memory.oom.group`)).toBe('1')
    expect(read(`${folder}/cpu.max`)).toBe('150000 100000')
    expect(group.add([77])).toBe(true)
    expect(read(`${folder}/cgroup.procs`)).toBe('77')
  })

  test('are not made where strangers live in our group, or where the kernel counts nothing', () => {
    delegated()
    expect(Cgroups.open([11], root)).toBe(null)
    delegated({ 'cgroup.controllers': 'pids\n' })
    expect(Cgroups.open([11, 12], root)).toBe(null)
    write('proc/self/cgroup', '4:memory:/x\n')
    expect(Cgroups.open([11, 12], root)).toBe(null)
    rmSync(join(root, 'proc'), { recursive: true })
    expect(Cgroups.open([11, 12], root)).toBe(null)
  })

  test('that can limit already are taken as they are, strangers or not', () => {
    delegated({ 'cgroup.subtree_control': 'cpu memory pids\n' })
    expect(Cgroups.open([], root)).not.toBe(null)
  })

  test('that somebody left behind empty are removed, those in use are not', () => {
    const base = delegated()
    mkdirSync(join(root, base, 'leanvibe-old'))
    write(`${base}/leanvibe-used/cgroup.procs`, '9\n')
    Cgroups.open([11, 12], root)
    expect(readdirSync(join(root, base)).filter((name) => name.startsWith('leanvibe-'))).toEqual(['leanvibe-used'])
  })

  test('count what was used, and tell when the kernel ended the work for its memory', () => {
    const base = delegated()
    const group = Cgroups.open([11, 12], root)!.create('a', { memoryBytes: 500 })!
    expect(group.usage()).toEqual({ cpuSeconds: null, maxMemoryBytes: null, breach: null })
    write(`${base}/leanvibe-a/cpu.stat`, 'usage_usec 2500000\nuser_usec 1\n')
    write(`${base}/leanvibe-a/memory.peak`, '499\n')
    write(`${base}/leanvibe-a/memory.events`, 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n')
    expect(group.usage()).toEqual({
      cpuSeconds: 2.5,
      maxMemoryBytes: 499,
      breach: { resource: 'memory', used: 500, limit: 500 },
    })
  })

  test('a second one of the same name is refused, not shared', () => {
    delegated()
    const groups = Cgroups.open([11, 12], root)!
    expect(groups.create('a', {})).not.toBe(null)
    expect(groups.create('a', {})).toBe(null)
  })
})

const { base, missing } = placeForGroups()
const onKernel = testWhen(base !== null, missing ?? '')

onKernel(
  'the kernel keeps work to its limits, also where other work had begun before',
  {
    timeout: 120_000,
  },
  async () => {
    const group = join(base!, `test-${process.pid}`)
    const folder = mkdtempSync(join(tmpdir(), 'leanvibe-groups-'))
    mkdirSync(group)
    try {
      const program = join(import.meta.dirname, 'cgroup-trial.fixture.ts')
      const { stdout } = await promisify(execFile)(process.execPath, [program, group, folder])
      const { memory, cpu, within } = JSON.parse(stdout)
      const limit = 64 * 2 ** 20
      expect(memory.breach).toEqual({ resource: 'memory', used: limit, limit })
      // Held back, not ended: six seconds at a tenth of a core.
      expect(cpu).toMatchObject({ exitCode: 0, breach: null })
      expect(cpu.usage.cpuSeconds / cpu.usage.wallSeconds).toBeLessThan(0.15)
      expect(within).toMatchObject({ exitCode: 0, breach: null })
      expect(readdirSync(group).filter((name) => name.startsWith('leanvibe-'))).toEqual([])
    } finally {
      for (const name of ['leanvibe', '.']) rmdirSync(join(group, name))
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
