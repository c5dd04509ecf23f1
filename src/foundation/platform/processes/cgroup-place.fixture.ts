import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where groups can be made that the kernel limits; otherwise why there is no such place. */
export function placeForGroups():
  | { readonly base: string; readonly missing: null }
  | { readonly base: null; readonly missing: string } {
  let mounts: string
  try {
    mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return { base: null, missing: 'this system has no control groups' }
  }
  const mount = mounts.split('\n').find((line) => line.includes(' - cgroup2 '))
  const base = mount?.split(' ')[4]
  if (base === undefined) return { base: null, missing: 'control groups of version 2 are not mounted' }
  const controllers = readFileSync(join(base, 'cgroup.controllers'), 'utf8').trim()
  if (!/\bcpu\b.*\bmemory\b/.test(controllers))
    return {
      base: null,
      missing: `version 2 at ${base} has "${controllers}" alone: cpu and memory are bound to version 1`,
    }
  try {
    writeFileSync(join(base, 'cgroup.subtree_control'), '+cpu +memory')
  } catch (error) {
    return {
      base: null,
      missing: `groups below ${base} are not ours to limit: ${(error as NodeJS.ErrnoException).code}`,
    }
  }
  return { base, missing: null }
}
