import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../foundation/kernel/clock.ts'
import { readCgroupCpu } from './cgroup-cpu.ts'
import { readCgroupMemory } from './cgroup-memory.ts'
import { type CpuTimes, HostSampler, type HostSource, systemHost } from './host-figures.ts'

describe('the host', () => {
  const source = (times: CpuTimes, over: Partial<HostSource> = {}): HostSource => ({
    ...systemHost,
    cpu: () => ({ ...times }),
    ...over,
  })

  test('the share of the CPU is that between two calls', async () => {
    const clock = new ManualClock()
    const times = { busy: 1_000, all: 10_000 }
    const sampler = new HostSampler('/', source(times), clock)
    expect((await sampler.read()).cpu).toBeNull()
    clock.advance(1_000)
    Object.assign(times, { busy: 2_000, all: 14_000 })
    expect((await sampler.read()).cpu).toBe(0.25)
    Object.assign(times, { busy: 2_001, all: 14_001 })
    clock.advance(50)
    expect((await sampler.read()).cpu).toBe(0.25)
    clock.advance(50)
    expect((await sampler.read()).cpu).toBe(1)
  })

  test('real figures: a busy core shows', async () => {
    const clock = { now: () => new Date(), monotonic: () => performance.now() }
    const sampler = new HostSampler(tmpdir(), systemHost, clock)
    for (const end = performance.now() + 300; performance.now() < end; );
    const { cpu, cores, memory, disk } = await sampler.read()
    expect(cpu).toBeGreaterThan(0.5 / cores)
    expect(memory.usedBytes).toBeGreaterThan(10_000_000)
    expect(memory.usedBytes).toBeLessThan(memory.totalBytes)
    expect(disk!.usedBytes).toBeLessThan(disk!.totalBytes)
  })

  test('the network is what came and went between two calls, against what its links carry', async () => {
    const clock = new ManualClock()
    const counters = { bytes: 1_000, capacity: 10_000 as number | null }
    const sampler = new HostSampler('/', source({ busy: 0, all: 0 }, { network: async () => ({ ...counters }) }), clock)
    expect((await sampler.read()).network).toEqual({ bytesPerSecond: null, capacity: 10_000 })
    clock.advance(1_000)
    counters.bytes += 3_000
    // The first look has something to compare with, too.
    expect((await sampler.read()).network).toEqual({ bytesPerSecond: 3_000, capacity: 10_000 })
    clock.advance(2_000)
    counters.bytes += 5_000
    expect(await sampler.read()).toMatchObject({ network: { bytesPerSecond: 2_500 }, utilisation: { network: 0.25 } })
    clock.advance(1_000)
    counters.bytes += 50_000
    expect((await sampler.read()).utilisation.network).toBe(1)
    counters.bytes = 0
    counters.capacity = null
    clock.advance(1_000)
    expect(await sampler.read()).toMatchObject({ network: { bytesPerSecond: 0 }, utilisation: { network: null } })
  })

  test('where a control group has a quota, that is what there is', async () => {
    const clock = new ManualClock()
    const quota = { cores: 0.5, usedSeconds: 10 }
    const sampler = new HostSampler(
      '/',
      source({ busy: 0, all: 0 }, { cores: () => 8, cpuQuota: async () => ({ ...quota }) }),
      clock,
    )
    expect(await sampler.read()).toMatchObject({ cores: 0.5, cpu: null })
    clock.advance(1_000)
    quota.usedSeconds = 12
    expect((await sampler.read()).cpu).toBe(null)
    clock.advance(2_000)
    quota.usedSeconds += 0.25
    expect((await sampler.read()).cpu).toBeCloseTo(0.25)
    const wide = source({ busy: 0, all: 0 }, { cores: () => 8, cpuQuota: async () => ({ cores: 16, usedSeconds: 0 }) })
    expect((await new HostSampler('/', wide, clock).read()).cores).toBe(8)
  })

  test('shares are between 0 and 1, whatever the system says', async () => {
    const sampler = new HostSampler(
      '/',
      source(
        { busy: 0, all: 0 },
        {
          memory: () => ({ usedBytes: 300, totalBytes: 200 }),
          memoryLimit: async () => null,
          disk: async () => ({ usedBytes: -5, totalBytes: 10 }),
        },
      ),
    )
    expect((await sampler.read()).utilisation).toMatchObject({ memory: 1, disk: 0 })
  })

  test('what cannot be told is null', async () => {
    const unknown = source({ busy: 0, all: 0 }, { load: () => [0, 0, 0] })
    expect(await new HostSampler('/no/such/folder', unknown).read()).toMatchObject({
      cpu: null,
      load: null,
      disk: null,
    })
  })

  test('a memory limit below that of the host counts, one above does not', async () => {
    const of = (totalBytes: number) => ({ usedBytes: 1, totalBytes })
    const read = async (limit: number) =>
      (
        await new HostSampler(
          '/',
          source({ busy: 0, all: 0 }, { memory: () => of(100), memoryLimit: async () => of(limit) }),
        ).read()
      ).memory.totalBytes
    expect([await read(50), await read(200)]).toEqual([50, 100])
  })
})

describe('control groups', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'leanvibe-cgroup-'))
  })
  afterEach(() => rm(root, { recursive: true }))
  const write = async (files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    }
  }

  test('the tightest quota of processor time, version 2', async () => {
    await write({
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/a/cpu.max': '50000 100000\n',
      'sys/fs/cgroup/a/cpu.stat': 'usage_usec 3000000\nuser_usec 1\n',
      'sys/fs/cgroup/a/b/cpu.max': 'max 100000\n',
      'sys/fs/cgroup/a/b/cpu.stat': 'usage_usec 1\n',
    })
    expect(await readCgroupCpu(root)).toEqual({ cores: 0.5, usedSeconds: 3 })
  })

  test('the quota of processor time, version 1', async () => {
    await write({
      'proc/self/cgroup': '3:cpuacct:/a\n2:cpu:/a\n1:name=systemd:/a\n',
      'sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '150000\n',
      'sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/cpuacct/a/cpuacct.usage': '2000000000\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    })
    expect(await readCgroupCpu(root)).toEqual({ cores: 1.5, usedSeconds: 2 })
    await write({ 'sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '-1\n' })
    expect(await readCgroupCpu(root)).toBe(null)
  })

  test('version 2: the tightest limit on the way up, without cache that can be given back', async () => {
    const base = 'sys/fs/cgroup/pod'
    await write({
      'proc/self/cgroup': '0::/pod/app\n',
      [`${base}/app/memory.max`]: 'max\n',
      [`${base}/app/memory.current`]: '5000\n',
      [`${base}/memory.max`]: '10000\n',
      [`${base}/memory.current`]: '7000\n',
      [`${base}/memory.stat`]: 'anon 3000\ninactive_file 2500\nactive_file 1\n',
    })
    expect(await readCgroupMemory(root)).toEqual({ usedBytes: 4_500, totalBytes: 10_000 })
    await write({ [`${base}/app/memory.max`]: '8000\n' })
    expect(await readCgroupMemory(root)).toEqual({ usedBytes: 5_000, totalBytes: 8_000 })
  })

  test('version 1, whose number for no limit is beyond all memory', async () => {
    const base = 'sys/fs/cgroup/memory/docker'
    await write({
      'proc/self/cgroup': '5:cpu,cpuacct:/docker\n4:memory:/docker\n',
      [`${base}/memory.limit_in_bytes`]: '9223372036854771712\n',
      [`${base}/memory.usage_in_bytes`]: '600\n',
    })
    expect(await readCgroupMemory(root)).toBeNull()
    await write({ [`${base}/memory.limit_in_bytes`]: '1000\n', [`${base}/memory.stat`]: 'total_inactive_file 100\n' })
    expect(await readCgroupMemory(root)).toEqual({ usedBytes: 500, totalBytes: 1_000 })
  })

  test('none where the system has none', async () => {
    expect(await readCgroupMemory(root)).toBeNull()
  })
})
