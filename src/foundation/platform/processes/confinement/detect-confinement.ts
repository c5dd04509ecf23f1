import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { platform } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import type { HostConfinement } from './confinement.ts'

const patienceMs = 10_000

/** Tries what this host can do. Programs are looked for on the search path; nothing is changed. */
export async function detectConfinement(searchPath: string, system: string = platform()): Promise<HostConfinement> {
  if (system !== 'linux') {
    return { bubblewrap: null, unshare: null, problem: `${system} has no namespaces that could be used` }
  }
  const [bwrap, unshare] = await Promise.all([find('bwrap', searchPath), find('unshare', searchPath)])
  const bubblewrap = bwrap !== null && (await works(bwrap, [...bubblewrapTrial, '/usr/bin/env', 'true'])) ? bwrap : null
  const plain = unshare !== null && (await works(unshare, [...unshareNetwork, 'true'])) ? unshare : null
  const problem =
    bubblewrap !== null
      ? null
      : bwrap === null
        ? 'bubblewrap is not installed'
        : 'bubblewrap is installed, but may not make namespaces here'
  return { bubblewrap, unshare: plain, problem }
}

export const unshareNetwork: readonly string[] = ['--user', '--map-current-user', '--net', '--']

const bubblewrapTrial: readonly string[] = [
  ...['--die-with-parent', '--unshare-all', '--cap-drop', 'ALL', '--ro-bind', '/', '/'],
  ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--'],
]

async function find(name: string, searchPath: string): Promise<string | null> {
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const file = join(folder, name)
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (usable) return file
  }
  return null
}

function works(file: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(file, [...args], { timeout: patienceMs, env: { PATH: '/usr/bin:/bin' } }, (error) => {
      resolve(error === null)
    })
  })
}
