import { execFile } from 'node:child_process'
import { platform } from 'node:os'
import { findProgram } from '../find-program.ts'
import type { HostConfinement } from './confinement.ts'
import { privateFilesIn } from './private-files.ts'

const patienceMs = 10_000

/**
 * Tries what this host can do. Programs are looked for on the search path; nothing is changed.
 * @param hidden what no work may see: data folders
 */
export async function detectConfinement(
  searchPath: string,
  system: string = platform(),
  hidden: readonly string[] = [],
): Promise<HostConfinement> {
  if (system !== 'linux') {
    return { bubblewrap: null, unshare: null, problem: `${system} has no namespaces that could be used` }
  }
  const [bwrap, unshare] = await Promise.all([findProgram('bwrap', searchPath), findProgram('unshare', searchPath)])
  const bubblewrap = bwrap !== null && (await works(bwrap, [...bubblewrapTrial, '/usr/bin/env', 'true'])) ? bwrap : null
  const plain = unshare !== null && (await works(unshare, [...unshareNetwork, 'true'])) ? unshare : null
  const problem =
    bubblewrap !== null
      ? null
      : bwrap === null
        ? 'bubblewrap is not installed'
        : 'bubblewrap is installed, but may not make namespaces here'
  const isRoot = process.getuid?.() === 0
  const ofRoot = isRoot && bubblewrap !== null ? await privateFilesIn('/etc') : []
  return { bubblewrap, unshare: plain, problem, hidden: [...hidden, ...ofRoot] }
}

export const unshareNetwork: readonly string[] = ['--user', '--map-current-user', '--net', '--']

const bubblewrapTrial: readonly string[] = [
  ...['--die-with-parent', '--unshare-all', '--cap-drop', 'ALL', '--ro-bind', '/', '/'],
  ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--'],
]

function works(file: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(file, [...args], { timeout: patienceMs, env: { PATH: '/usr/bin:/bin' } }, (error) => {
      resolve(error === null)
    })
  })
}
