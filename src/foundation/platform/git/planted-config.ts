import { gitErrors } from './git-errors.ts'

const mostOverrides = 2_000

/**
 * Overrides for the drivers that a repository's configuration names. A filter is replaced by none; an external diff,
 * text conversion or merge driver by one that fails, so that a command which reaches it all the same stops there.
 */
const driverRules: readonly { readonly key: RegExp; readonly overrides: (prefix: string) => [string, string][] }[] = [
  {
    key: /^(filter\..*)\.(?:clean|smudge|process|required)$/s,
    overrides: (prefix) => [
      [`${prefix}.clean`, ''],
      [`${prefix}.smudge`, ''],
      [`${prefix}.process`, ''],
      [`${prefix}.required`, 'false'],
    ],
  },
  { key: /^(diff\..*)\.command$/s, overrides: (prefix) => [[`${prefix}.command`, 'false']] },
  { key: /^(diff\..*)\.textconv$/s, overrides: (prefix) => [[`${prefix}.textconv`, 'false']] },
  { key: /^(merge\..*)\.driver$/s, overrides: (prefix) => [[`${prefix}.driver`, 'false']] },
  { key: /^(credential\..*)\.helper$/s, overrides: (prefix) => [[`${prefix}.helper`, '']] },
  {
    key: /^(hook\..*)\.(?:command|event)$/s,
    overrides: (prefix) => [
      [`${prefix}.enabled`, 'false'],
      [`${prefix}.command`, 'true'],
    ],
  },
]

/**
 * What must be overridden, given the names that `git config --list --name-only -z` prints in a repository.
 * @throws git-refused when a repository names so many drivers that the overrides would not fit an environment
 */
export function disarmDrivers(names: readonly string[]): [string, string][] {
  const overrides = new Map<string, string>()
  for (const name of names) {
    for (const rule of driverRules) {
      const prefix = rule.key.exec(name)?.[1]
      if (prefix === undefined) continue
      for (const [key, value] of rule.overrides(prefix)) overrides.set(key, value)
    }
  }
  if (overrides.size > mostOverrides) {
    throw gitErrors['git-refused'](`the repository's configuration names more than ${mostOverrides} drivers`)
  }
  return [...overrides]
}
