import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface CpuQuota {
  /** Cores that may be used at a time; a fraction where the quota is one. */
  readonly cores: number
  /** Processor time that the group with the quota has used so far. */
  readonly usedSeconds: number
}

/**
 * The tightest quota of processor time of the control groups this process is in, and what that group has used. Null where
 * there is none. Version 1 and 2; `root` is for tests.
 */
export async function readCgroupCpu(root = '/'): Promise<CpuQuota | null> {
  const groups = await read(join(root, 'proc/self/cgroup'))
  const found: CpuQuota[] = []
  for (const line of (groups ?? '').split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (match === null) continue
    const [, controllers = '', own = '/'] = match
    const names = controllers.split(',')
    if (controllers !== '' && !names.includes('cpu')) continue
    const base = controllers === '' ? 'sys/fs/cgroup' : 'sys/fs/cgroup/cpu'
    for (let path = own; ; path = dirname(path)) {
      const folder = join(root, base, path)
      const quota =
        controllers === '' ? await readTwo(folder) : await readOne(folder, join(root, 'sys/fs/cgroup/cpuacct', path))
      if (quota !== null) found.push(quota)
      if (path === '/' || path === '.') break
    }
  }
  return found.sort((a, b) => a.cores - b.cores)[0] ?? null
}

/** `cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`. */
async function readTwo(folder: string): Promise<CpuQuota | null> {
  const [quota, period] = ((await read(join(folder, 'cpu.max'))) ?? '').trim().split(' ').map(Number)
  const used = /^usage_usec (\d+)$/m.exec((await read(join(folder, 'cpu.stat'))) ?? '')?.[1]
  return shape(quota, period, used === undefined ? Number.NaN : Number(used) / 1_000_000)
}

async function readOne(folder: string, accounting: string): Promise<CpuQuota | null> {
  const number = async (path: string) => Number((await read(path)) ?? Number.NaN)
  return shape(
    await number(join(folder, 'cpu.cfs_quota_us')),
    await number(join(folder, 'cpu.cfs_period_us')),
    (await number(join(accounting, 'cpuacct.usage'))) / 1_000_000_000,
  )
}

/** No quota is written `max` or -1. */
function shape(quota = Number.NaN, period = Number.NaN, usedSeconds: number): CpuQuota | null {
  if (!(quota > 0) || !(period > 0) || Number.isNaN(usedSeconds)) return null
  return { cores: quota / period, usedSeconds }
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // Not Linux, not this version, or a group of which we only see the inside.
    return null
  }
}
