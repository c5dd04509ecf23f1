import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface NetworkCounters {
  /** Bytes received and sent since the host started. */
  readonly bytes: number
  /** What all links together carry each way, in bytes a second; null where they do not say. */
  readonly capacity: number | null
}

/** The interfaces of the host that are real, where some are, else all but the loopback. Null where the system does not tell. */
export async function readNetwork(root = '/'): Promise<NetworkCounters | null> {
  const text = await read(join(root, 'proc/net/dev'))
  if (text === null) return null
  const counters = text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const colon = line.indexOf(':')
      const fields = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
      return colon < 0 ? [] : [{ name: line.slice(0, colon).trim(), bytes: Number(fields[0]) + Number(fields[8]) }]
    })
    .filter(({ name, bytes }) => name !== 'lo' && Number.isFinite(bytes))
  const folder = join(root, 'sys/class/net')
  const real = await Promise.all(counters.map(({ name }) => exists(join(folder, name, 'device'))))
  const counted = real.includes(true) ? counters.filter((_, n) => real[n]) : counters
  if (counted.length === 0) return null
  const speeds = await Promise.all(counted.map(async ({ name }) => Number(await read(join(folder, name, 'speed')))))
  // In megabits; -1 or nothing where the link is down or virtual.
  const known = speeds.filter((speed) => speed > 0)
  return {
    bytes: counted.reduce((sum, { bytes }) => sum + bytes, 0),
    capacity: known.length === 0 ? null : known.reduce((sum, speed) => sum + speed, 0) * 125_000,
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await readdir(path)
    return true
  } catch {
    return false
  }
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // Not Linux, or a link that is down.
    return null
  }
}
