import { access, constants, readFile } from 'node:fs/promises'
import { arch, platform, release } from 'node:os'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { Env } from '../../foundation/platform/config/env.ts'
import type { Git } from '../../foundation/platform/git/index.ts'
import { detectConfinement, findProgram } from '../../foundation/platform/processes/index.ts'
import { findPreset } from '../add-agent.ts'
import { agentPresets } from '../agent-presets.ts'
import { knownAgents } from '../known-agents.ts'
import type { Check } from './check.ts'

export function checkNode(version: string = process.versions.node): Check {
  const major = Number(version.split('.')[0])
  if (major >= 24) return { name: 'node', status: 'ok', detail: version }
  return {
    name: 'node',
    status: 'warn',
    detail: `${version} works; 24 is what LeanVibe is tested on`,
    next: 'install Node 24 LTS',
  }
}

export function checkPlatform(name: string = platform(), kernel: string = release()): Check {
  const detail = `${name} ${kernel} ${arch()}`
  if (name === 'linux') return { name: 'platform', status: 'ok', detail }
  if (name === 'darwin') {
    return {
      name: 'platform',
      status: 'warn',
      detail: `${detail}: best effort`,
      next: 'processes that leave their group are found by a slower search',
    }
  }
  return {
    name: 'platform',
    status: 'bad',
    detail: `${detail} is not supported`,
    next: 'use Linux, macOS, or Windows with WSL',
  }
}

/** git 2.32 brought the switches that keep a stranger's configuration out. */
export async function checkGit(git: Git): Promise<Check> {
  try {
    const version = await git.version()
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major > 2 || (major === 2 && minor >= 32)) return { name: 'git', status: 'ok', detail: version }
    return { name: 'git', status: 'bad', detail: `${version} is too old`, next: 'install git 2.32 or newer' }
  } catch (error) {
    if (!isAppError(error)) throw error
    return { name: 'git', status: 'bad', detail: error.message, next: error.next }
  }
}

export async function checkAgents({ path }: Env): Promise<Check> {
  const found: string[] = []
  for (const preset of agentPresets) if ((await findPreset(preset, path)) !== null) found.push(`${preset.name} (acp)`)
  for (const { program } of knownAgents) if ((await findProgram(program, path)) !== null) found.push(program)
  if (found.length > 0) return { name: 'agents on PATH', status: 'ok', detail: found.join(', ') }
  return {
    name: 'agents on PATH',
    status: 'note',
    detail: 'none; commands and scripts need none',
    next: '`leanvibe agents add claude` (codex, gemini, opencode, qwen, goose) says what to install; any program that takes a task can be a pool',
  }
}

/** What work can do that nothing here prevents. */
export async function checkEnforcement(searchPath: string, name: string = platform()): Promise<readonly Check[]> {
  const processes: Check =
    name === 'linux'
      ? {
          name: 'processes',
          status: 'ok',
          detail: 'work is ended with all it started, found by group, descent and marker',
        }
      : {
          name: 'processes',
          status: 'warn',
          detail: 'work is ended with its process group; what hides from it may stay',
        }
  return [processes, await checkLimits(name), await checkConfinement(searchPath, name)]
}

/** What can be kept from agents here, and from which. */
async function checkConfinement(searchPath: string, name: string): Promise<Check> {
  const { bubblewrap, unshare, problem } = await detectConfinement(searchPath, name)
  const commands = 'the pool `local`, and pools with `confine.mode: off`, can read and reach what you can'
  if (bubblewrap !== null) {
    return {
      name: 'files and network',
      status: 'ok',
      detail: `agents of pools with \`confine\` are kept in their worktree by bubblewrap, and off the network where the pool says so; ${commands}`,
    }
  }
  const network = unshare === null ? 'nor can the network' : 'the network can, by namespaces'
  return {
    name: 'files and network',
    status: 'note',
    detail: `not enforced: files cannot be kept from agents here (${problem}), ${network}; what agents ask us for is checked all the same; ${commands}`,
    next: name === 'linux' ? 'install bubblewrap' : 'run agents on Linux, or in containers',
  }
}

const ofNetwork =
  'network is set aside for all work, but measured and kept to only of work in a network of its own (a namespace), because the kernel counts it by network and not by process'

/** Whether the kernel keeps work to the limits of its step. */
async function checkLimits(name: string): Promise<Check> {
  const check = { name: 'limits of steps', status: 'note' } as const
  const watched = `cpu and memory are watched, five times a second, and work beyond its limit is ended; ${ofNetwork}`
  if (name !== 'linux') return { ...check, detail: `no control groups: ${watched}` }
  try {
    const own = /^0::(.*)$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
    const folder = `/sys/fs/cgroup${own}`
    const controllers = (await readFile(`${folder}/cgroup.controllers`, 'utf8')).trim().split(' ')
    await access(folder, constants.W_OK)
    if (!controllers.includes('cpu') || !controllers.includes('memory'))
      return { ...check, detail: `control groups v2 without cpu and memory: ${watched}` }
    return {
      ...check,
      status: 'ok',
      detail: `cpu and memory are kept by the kernel (control groups v2), if nothing else runs in our group; ${ofNetwork}`,
    }
  } catch {
    return {
      ...check,
      detail: `no control groups v2 that we may write: ${watched}`,
      next: `run it ${process.getuid?.() === 0 ? '' : 'as root, or '}in a systemd service with Delegate=yes`,
    }
  }
}
