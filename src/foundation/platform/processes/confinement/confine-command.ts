import { existsSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import type { Confinement, HostConfinement } from './confinement.ts'
import { dataFoldersBelow } from './data-folders-below.ts'
import { unshareNetwork } from './detect-confinement.ts'

export interface CommandToConfine {
  readonly file: string
  readonly args: readonly string[]
  /** Complete. Its PATH and HOME say which programs and which home folder are meant. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Folders of the attempt: the working folder, the one for outputs, the one of the adapter. */
  readonly folders: readonly string[]
  /** Where git keeps what belongs to the worktree, and what it shares with the repository. Null for a scratch folder. */
  readonly git: { readonly gitDir: string; readonly commonDir: string } | null
  /** What begins within the bounds and starts the command. Default: nothing. */
  readonly launcher?: Launcher | null
}

/** A program that begins in the place of a command, and starts it. */
export interface Launcher {
  /** The command follows. */
  readonly argv: readonly string[]
  /** Folders that it needs, besides those of the command. */
  readonly read: readonly string[]
  readonly write: readonly string[]
}

export interface ConfinedCommand {
  readonly file: string
  readonly args: readonly string[]
}

/** Parts of the system that programs need. */
const system = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', '/opt', '/nix/store']
/** Where some systems keep what /etc/resolv.conf leads to. */
const resolvers = ['/run/systemd/resolve', '/run/resolvconf', '/run/NetworkManager/resolv.conf']
/** Readable by root, and no program of an agent's needs them. */
const hiddenFiles = ['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-', '/etc/sudoers']
const hiddenFolders = ['/etc/ssh', '/etc/sudoers.d', '/etc/ssl/private', '/etc/wireguard']

/**
 * The command as the host runs it within its bounds: the system and its programs can be read, the folders of the attempt
 * written, the home folder is empty but for what the rules name, and nothing else of the host is there. The git folder of
 * the repository can be read, so that `git diff` and `git log` work; only the worktree's own part of it can be written.
 * Unchanged where the rules or the host say so.
 */
export function confineCommand(host: HostConfinement, rules: Confinement, command: CommandToConfine): ConfinedCommand {
  const plain = { file: command.file, args: command.args }
  if (rules.mode === 'off') return plain
  if (host.bubblewrap === null) {
    if (rules.network !== 'off' || host.unshare === null) return plain
    return { file: host.unshare, args: [...unshareNetwork, command.file, ...command.args] }
  }
  const { launcher } = command
  const shown = [
    ...(command.git === null ? [] : [command.git.gitDir]),
    ...command.folders,
    ...rules.write,
    ...(launcher?.write ?? []),
  ]
  const others = dataFoldersBelow([...rules.read, ...rules.write, ...programFolders(command)])
  const hidden = [...(host.hidden ?? []), ...others].map(realPath)
  const isHidden = (path: string) => hidden.some((folder) => realPath(path).startsWith(`${folder}/`))
  const args = [
    ...['--die-with-parent', '--unshare-user', '--unshare-ipc', '--unshare-uts', '--unshare-pid'],
    ...['--unshare-cgroup-try', '--cap-drop', 'ALL'],
    ...(rules.network === 'open' ? [] : ['--unshare-net']),
    // For the kernel root is root also in a namespace without rights: only the mount keeps settings of the host from it.
    ...[
      '--proc',
      '/proc',
      '--remount-ro',
      '/proc',
      '--dev',
      '/dev',
      '--tmpfs',
      '/tmp',
      '--tmpfs',
      '/run',
      '--tmpfs',
      '/var/tmp',
    ],
    ...readOnly([...system, ...resolvers]),
    ...hide([...hiddenFiles, ...hiddenFolders]),
    ...homeOf(command.env),
    ...readOnly([
      ...programFolders(command).flatMap((path) => throughLinks(path, shown)),
      ...rules.read,
      ...(launcher?.read ?? []),
    ]),
    ...(command.git === null ? [] : readOnly([command.git.commonDir])),
    ...writable(shown),
    // What is to be seen of a hidden folder is put on top of the empty one that stands for it.
    ...hide(hidden),
    ...readOnly([...(command.git === null ? [] : [command.git.commonDir]), ...(launcher?.read ?? [])].filter(isHidden)),
    ...writable(shown.filter(isHidden)),
    ...['--chdir', command.cwd, '--'],
  ]
  return { file: host.bubblewrap, args: [...args, ...(launcher?.argv ?? []), command.file, ...command.args] }
}

/**
 * Where a folder has to be so that it is found under its name. A link in a folder that is shown leads on to where the folder
 * really is: nothing can be put in the place of the link.
 */
function throughLinks(path: string, shown: readonly string[]): readonly string[] {
  const real = realpathSync(path)
  if (real === path) return [path]
  return shown.some((folder) => path.startsWith(`${folder}/`)) ? [real] : [path, real]
}

function readOnly(paths: readonly string[]): string[] {
  return unique(paths).flatMap((path) => ['--ro-bind-try', path, path])
}

function writable(paths: readonly string[]): string[] {
  return unique(paths).flatMap((path) => ['--bind-try', path, path])
}

/** Mounts are made on what a path leads to: by another name it would be there all the same. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}

/** Nothing in the place of a file, an empty folder in that of a folder; what is not there needs neither. */
function hide(paths: readonly string[]): string[] {
  return unique(paths).flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return []
    return stat.isDirectory() ? ['--tmpfs', path] : ['--ro-bind', '/dev/null', path]
  })
}

function homeOf(env: Readonly<Record<string, string>>): string[] {
  const home = env.HOME
  return home === undefined || !isAbsolute(home) || home === '/' ? [] : ['--tmpfs', home]
}

/** Folders outside the system that hold the program and what the search path finds: a Node under the home folder, for one. */
function programFolders({ file, env, cwd }: CommandToConfine): string[] {
  const found: string[] = []
  const entries = (env.PATH ?? '').split(delimiter).filter((entry) => isAbsolute(entry) && existsSync(entry))
  for (const entry of entries.filter((path) => !inSystem(path))) {
    found.push(entry)
    // npm keeps what its programs are made of beside them.
    const library = resolve(entry, '..', 'lib', 'node_modules')
    if (existsSync(library)) found.push(library)
  }
  const places = file.includes('/') ? [resolve(cwd, file)] : entries.map((entry) => join(entry, file))
  const program = places.find((path) => existsSync(path))
  if (program === undefined) return found
  const real = realpathSync(program)
  for (const path of [program, real]) if (!inSystem(path)) found.push(packageOf(path))
  return found
}

/** The folder of a program: for one that npm installed, all of the packages beside it. */
function packageOf(path: string): string {
  const at = path.indexOf('/node_modules/')
  return at === -1 ? dirname(path) : path.slice(0, at + '/node_modules'.length)
}

function inSystem(path: string): boolean {
  return system.some((folder) => path === folder || path.startsWith(`${folder}/`))
}

/** Outer folders first, so that an inner one is not hidden by the bind of an outer. */
function unique(paths: readonly string[]): string[] {
  return [...new Set(paths)].sort((a, b) => a.length - b.length)
}
