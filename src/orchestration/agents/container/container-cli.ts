import { isAbsolute } from 'node:path'
import { findProgram, runTool, type ToolAnswer } from '../../../foundation/platform/processes/index.ts'
import { containerErrors } from './container-errors.ts'

/** docker, podman, or a program that takes the same arguments. */
export interface ContainerCli {
  readonly path: string
  readonly flavour: 'docker' | 'podman'
  readonly version: string
  /** It runs without root: users of the container are ranges of the user who runs it. */
  readonly rootless: boolean
  /** What it needs of the host's environment; nothing of it reaches a container. */
  readonly env: Readonly<Record<string, string>>
}

export type CliAnswer = ToolAnswer

/** Where the CLIs look for their daemon, their images and their configuration. */
export const cliVariables: readonly string[] = [
  ...['PATH', 'HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'DBUS_SESSION_BUS_ADDRESS', 'TMPDIR'],
  ...['DOCKER_HOST', 'DOCKER_CONFIG', 'DOCKER_CONTEXT', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
  ...[
    'CONTAINER_HOST',
    'CONTAINERS_CONF',
    'CONTAINERS_STORAGE_CONF',
    'CONTAINERS_REGISTRIES_CONF',
    'REGISTRY_AUTH_FILE',
  ],
]

const patienceMs = 20_000

/** Runs the CLI to its end. Never rejects. */
export function callCli(
  cli: Pick<ContainerCli, 'path' | 'env'>,
  args: readonly string[],
  timeoutMs = patienceMs,
): Promise<CliAnswer> {
  return runTool(cli.path, args, { env: cli.env, timeoutMs })
}

/** Ends it at once if it runs: `rm` alone would wait for it, longer than anybody wants to. */
export async function removeContainer(cli: Pick<ContainerCli, 'path' | 'env'>, name: string): Promise<CliAnswer> {
  const removed = await callCli(cli, ['rm', '--volumes', name])
  if (removed.code === 0) return removed
  await callCli(cli, ['kill', name])
  return callCli(cli, ['rm', '--force', '--volumes', name])
}

/** What was found of one CLI. */
export interface CliTrial {
  readonly name: string
  readonly cli: ContainerCli | null
  /** Why it cannot be used. */
  readonly problem: string | null
}

/** Tries the CLIs that the name may mean: by asking them for their version and their daemon. Nothing is changed. */
export async function tryClis(
  name: string | null,
  variable: (name: string) => string | undefined,
): Promise<readonly CliTrial[]> {
  const env: Record<string, string> = {}
  for (const each of cliVariables) {
    const value = variable(each)
    if (value !== undefined && value !== '') env[each] = value
  }
  return Promise.all((name === null ? ['podman', 'docker'] : [name]).map((each) => tryCli(each, env)))
}

/** The first CLI that works here. @throws container-cli-missing */
export async function findCli(
  name: string | null,
  variable: (name: string) => string | undefined,
): Promise<ContainerCli> {
  const trials = await tryClis(name, variable)
  const cli = trials.find((trial) => trial.cli !== null)?.cli
  if (cli) return cli
  throw containerErrors['container-cli-missing'](trials.map(({ name, problem }) => `${name}: ${problem}`).join('; '))
}

async function tryCli(name: string, env: Readonly<Record<string, string>>): Promise<CliTrial> {
  const path = isAbsolute(name) ? name : await findProgram(name, env.PATH ?? '')
  if (path === null) return { name, cli: null, problem: 'not installed' }
  const answer = await callCli({ path, env }, ['info', '--format', '{{json .}}'])
  const info = parse(answer.stdout)
  if (answer.code !== 0 || info === null) return { name, cli: null, problem: lastLine(answer) }
  // Docker says what its daemon is, podman what its host is.
  const flavour = 'ServerVersion' in info ? 'docker' : 'podman'
  const problem = Array.isArray(info.ServerErrors) ? String(info.ServerErrors[0]) : null
  if (problem !== null) return { name, cli: null, problem }
  const version = String(info.ServerVersion ?? record(info.version).Version ?? '')
  const rootless =
    flavour === 'docker'
      ? JSON.stringify(info.SecurityOptions ?? '').includes('rootless')
      : record(record(info.host).security).rootless === true
  return { name, cli: { path, flavour, version, rootless, env }, problem: null }
}

/** What the CLI said last, for people. */
export function lastLine({ code, stderr, stdout }: CliAnswer): string {
  if (code === null) return 'it did not answer in time'
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  return (lines.at(-1) ?? `exit code ${code}`).trim().slice(0, 500)
}

function parse(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return record(JSON.parse(text))
  } catch {
    return null
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
