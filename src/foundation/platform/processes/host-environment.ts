const fixed: Readonly<Record<string, string>> = { TERM: 'dumb', NO_COLOR: '1' }
const defaults: Readonly<Record<string, string>> = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' }

/**
 * The environment that every command starts from: the named variables of the host, and nothing else of it.
 * @param names as the configuration lists them
 * @param variable the value of a variable of the host
 */
export function hostEnvironment(
  names: readonly string[],
  variable: (name: string) => string | undefined,
): Record<string, string> {
  const environment: Record<string, string> = { ...defaults }
  for (const name of names) {
    const value = variable(name)
    if (value !== undefined && value !== '') environment[name] = value
  }
  return { ...environment, ...fixed }
}
