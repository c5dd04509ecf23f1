/** Variables of the host that commands see. Nothing else is inherited: what more a pool needs, its configuration names. */
export const inheritedVariables: readonly string[] = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TMPDIR',
  'XDG_CONFIG_HOME',
  'XDG_CACHE_HOME',
  'XDG_DATA_HOME',
]

const fixedVariables: Readonly<Record<string, string>> = { TERM: 'dumb', NO_COLOR: '1' }
const defaults: Readonly<Record<string, string>> = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' }

/**
 * The environment that every command starts from.
 * @param host the environment of this process, as the configuration read it
 * @param further names that are let through besides (`ANTHROPIC_API_KEY`, `SSH_AUTH_SOCK`)
 */
export function hostEnvironment(
  host: Readonly<Record<string, string | undefined>>,
  further: readonly string[] = [],
): Record<string, string> {
  const environment: Record<string, string> = { ...defaults }
  for (const name of [...inheritedVariables, ...further]) {
    const value = host[name]
    if (value !== undefined && value !== '') environment[name] = value
  }
  return { ...environment, ...fixedVariables }
}
