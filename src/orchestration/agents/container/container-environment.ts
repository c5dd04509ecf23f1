import { containerErrors } from './container-errors.ts'

export interface ContainerEnvironment {
  /** For `--env-file`: one variable a line. */
  readonly file: string
  /** What a line cannot hold: goes through the environment of the CLI. */
  readonly inherited: Readonly<Record<string, string>>
}

/** Say something of the host that is not so in a container. */
const ofTheHost: ReadonlySet<string> = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'PWD', 'TMPDIR', 'SSH_AUTH_SOCK', 'DISPLAY'],
  ...['LEANVIBE_NODE', 'LEANVIBE_PACKAGE', 'LEANVIBE_REPO'],
])
/** In the environment of a program of the host, these change what it does. */
const dangerous =
  /^(?:LD_|DYLD_|GO|GLIBC_|MALLOC_|XDG_|DBUS_|DOCKER|CONTAINER|PODMAN|BUILDAH|REGISTRY|REMOTE|SSL_|HTTPS?_|NO_PROXY|ALL_PROXY|TERM|LANG|LC_|_)/i

/**
 * The variables of an attempt as its container gets them: those that it was given, without what is true of the host
 * alone. Values are on no command line.
 * @throws container-setup
 */
export function containerEnvironment(env: Readonly<Record<string, string>>): ContainerEnvironment {
  const lines: string[] = []
  const inherited: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...withoutHost(env), HOME: '/tmp' })) {
    if (/^[A-Za-z_]\w*$/.test(name) && isPlain(value)) lines.push(`${name}=${value}`)
    else if (dangerous.test(name) || ofTheHost.has(name) || /[=\0]/.test(name))
      throw containerErrors['container-setup'](`the variable ${name} has a value that a container cannot be given`)
    else inherited[name] = value
  }
  return { file: `${lines.join('\n')}\n`, inherited }
}

/** Without the variables that say something of the host. */
export function withoutHost(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ofTheHost.has(name)))
}

/** A value that every reader of such files takes as it is. */
function isPlain(value: string): boolean {
  return !/[\r\n\0"'`\\]/.test(value) && value.trim() === value
}
