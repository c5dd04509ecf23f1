import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Where groups can be made that the kernel limits; otherwise why there is no such place. */
function placeForGroups(): { readonly base: string } | { readonly missing: string } {
  let mounts: string
  try {
    mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return { missing: 'this system has no control groups' }
  }
  const mount = mounts.split('\n').find((line) => line.includes(' - cgroup2 '))
  const base = mount?.split(' ')[4]
  if (base === undefined) return { missing: 'control groups of version 2 are not mounted' }
  const controllers = readFileSync(join(base, 'cgroup.controllers'), 'utf8').trim()
  if (!/\bcpu\b.*\bmemory\b/.test(controllers))
    return { missing: `version 2 at ${base} has "${controllers}" alone: cpu and memory are bound to version 1` }
  try {
    writeFileSync(join(base, 'cgroup.subtree_control'), '+cpu +memory')
  } catch (error) {
    return { missing: `groups below ${base} are not ours to limit: ${(error as NodeJS.ErrnoException).code}` }
  }
  return { base }
}

const place = placeForGroups()

test('the kernel keeps work to its limits, also where other work had begun before', {
  timeout: 120_000,
}, async (context) => {
  if ('missing' in place) return context.skip(place.missing)
  const group = join(place.base, `test-${process.pid}`)
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
})
