import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface MemoryFigures {
  readonly usedBytes: number
  readonly totalBytes: number
}

interface Files {
  readonly base: string
  readonly path: string
  readonly limit: string
  readonly usage: string
  /** Name of the field in memory.stat of file cache that is given back when it is needed. */
  readonly cache: string
}

/**
 * The tightest memory limit of the control groups this process is in, and what the group with it uses, cache that can be
 * given back left out. Null where there is none. Version 1 and 2; `root` is for tests.
 */
export async function readCgroupMemory(root = '/'): Promise<MemoryFigures | null> {
  const groups = await read(join(root, 'proc/self/cgroup'))
  const found: MemoryFigures[] = []
  for (const line of (groups ?? '').split('\n')) {
    const files = filesOf(line)
    if (files === null) continue
    for (let path = files.path; ; path = dirname(path)) {
      const memory = await readGroup(join(root, files.base, path), files)
      if (memory !== null) found.push(memory)
      if (path === '/' || path === '.') break
    }
  }
  return found.sort((a, b) => a.totalBytes - b.totalBytes)[0] ?? null
}

/** A line is `0::/path` in version 2, `4:memory:/path` in version 1. */
function filesOf(line: string): Files | null {
  const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
  if (match === null) return null
  const [, controllers, path] = match
  if (controllers === '') {
    return { base: 'sys/fs/cgroup', path: path!, limit: 'memory.max', usage: 'memory.current', cache: 'inactive_file' }
  }
  if (!controllers!.split(',').includes('memory')) return null
  return {
    base: 'sys/fs/cgroup/memory',
    path: path!,
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    cache: 'total_inactive_file',
  }
}

async function readGroup(folder: string, files: Files): Promise<MemoryFigures | null> {
  const limit = Number(await read(join(folder, files.limit)))
  const usage = Number((await read(join(folder, files.usage))) ?? Number.NaN)
  // `max` in version 2, a number beyond all memory in version 1: no limit.
  if (!(limit > 0) || limit > 2 ** 60 || Number.isNaN(usage)) return null
  const stat = (await read(join(folder, 'memory.stat'))) ?? ''
  const cache = Number(new RegExp(`^${files.cache} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0)
  return { usedBytes: Math.max(0, usage - cache), totalBytes: limit }
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // Not Linux, not this version, or a group of which we only see the inside.
    return null
  }
}
