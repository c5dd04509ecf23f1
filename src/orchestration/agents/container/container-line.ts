import { type ContainerSettings, modelsNetwork } from '../../../foundation/platform/config/container-settings.ts'
import type { ContainerCli } from './container-cli.ts'
import { containerErrors } from './container-errors.ts'

export interface ContainerFolder {
  readonly from: string
  readonly to: string
  readonly write: boolean
  /** Of this attempt alone: SELinux may label it for its container. */
  readonly own?: boolean
}

export interface ContainerRequest {
  readonly name: string
  readonly settings: ContainerSettings
  readonly cli: Pick<ContainerCli, 'flavour' | 'rootless'>
  readonly user: string
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly interactive: boolean
  readonly folders: readonly ContainerFolder[]
  readonly labels: Readonly<Record<string, string>>
  /** Variables that the CLI reads from this file. */
  readonly envFile: string
  /** Variables that the CLI takes from its own environment. */
  readonly envNames: readonly string[]
  /** Of the step; the smaller of the two holds. */
  readonly limits: { readonly cpuCores?: number; readonly memoryBytes?: number }
}

/** The arguments that make and start the container of an attempt. No value of a secret is among them. */
export function runLine(request: ContainerRequest): string[] {
  const { settings, cli, limits } = request
  const cpus = Math.min(settings.cpus, limits.cpuCores ?? Number.POSITIVE_INFINITY)
  const memory = Math.min(settings.memoryBytes, limits.memoryBytes ?? Number.POSITIVE_INFINITY)
  return [
    ...['run', '--name', request.name, '--pull', settings.pull],
    ...(settings.runtime === null ? [] : ['--runtime', settings.runtime]),
    ...(request.interactive ? ['--interactive'] : []),
    // Its output comes to us; nobody else keeps it.
    ...['--log-driver', 'none'],
    // Where only models may be reached, the way there is opened from outside.
    ...['--network', settings.network === modelsNetwork ? 'none' : settings.network, '--hostname', 'agent'],
    ...['--cpus', String(cpus), '--memory', String(Math.floor(memory)), '--memory-swap', String(Math.floor(memory))],
    ...['--pids-limit', String(settings.pids)],
    ...['--user', request.user, ...(cli.flavour === 'podman' && cli.rootless ? ['--userns', 'keep-id'] : [])],
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...(settings.readOnly ? ['--read-only'] : []),
    ...['--tmpfs', `/tmp:rw,nosuid,nodev,mode=1777,size=${settings.tmpBytes}`],
    ...['--workdir', request.cwd],
    ...request.folders.flatMap((folder) => ['--volume', volume(folder)]),
    ...Object.entries(request.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...['--env-file', request.envFile],
    ...request.envNames.flatMap((name) => ['--env', name]),
    ...['--entrypoint', request.file, settings.image, ...request.args],
  ]
}

/** A further process in the container of an attempt. */
export function execLine(
  request: Pick<ContainerRequest, 'name' | 'file' | 'args' | 'cwd' | 'interactive' | 'envFile' | 'envNames'>,
): string[] {
  return [
    ...['exec', ...(request.interactive ? ['--interactive'] : []), '--workdir', request.cwd],
    ...['--env-file', request.envFile, ...request.envNames.flatMap((name) => ['--env', name])],
    ...[request.name, request.file, ...request.args],
  ]
}

/** @throws container-setup */
function volume({ from, to, write, own }: ContainerFolder): string {
  for (const path of [from, to])
    if (/[:,\n]/.test(path))
      throw containerErrors['container-setup'](`${path} cannot be mounted: it has a : or , in it`)
  return `${from}:${to}:${write ? 'rw' : 'ro'}${own === true ? ',Z' : ''}`
}
