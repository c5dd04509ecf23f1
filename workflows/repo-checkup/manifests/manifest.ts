export type Ecosystem =
  | 'npm'
  | 'PyPI'
  | 'Cargo'
  | 'Go'
  | 'Maven'
  | 'Gradle'
  | 'RubyGems'
  | 'Composer'
  | 'NuGet'
  | 'Pub'
  | 'Hex'
  | 'Docker'
  | 'GitHub Actions'

export type Scope = 'runtime' | 'development' | 'optional' | 'peer' | 'build'

/**
 * How firmly a requirement names a version. `exact`: one version; `range`: bounded above; `open`: any later version, or
 * any at all; `source`: a git or web address; `local`: a path or a sibling package; `elsewhere`: a parent or catalogue decides.
 */
export type Firmness = 'exact' | 'range' | 'open' | 'source' | 'local' | 'elsewhere'

export interface Dependency {
  readonly name: string
  readonly requirement: string
  readonly scope: Scope
  readonly firmness: Firmness
}

export interface Manifest {
  readonly ecosystem: Ecosystem
  readonly name: string | null
  /** As written by the author; an SPDX expression where they kept to it. */
  readonly licence: string | null
  /** Not meant to be published. */
  readonly private: boolean
  readonly dependencies: readonly Dependency[]
}

export type ManifestParser = (text: string) => Manifest

/** Firmness of a requirement in the notation that npm, Cargo, Composer, Pub, Hex and Poetry share more or less. */
export function firmnessOf(requirement: string, bareIsRange: boolean): Firmness {
  const text = requirement.trim()
  if (/^(workspace|file|link|portal|path):|^\.{0,2}\//.test(text)) return 'local'
  if (/^catalog:/.test(text)) return 'elsewhere'
  if (/^(git(hub|lab)?[+:@]|https?:|ssh:)|^[\w.-]+\/[\w.-]+(#|$)/.test(text)) return 'source'
  if (text === '' || text === '*' || text === 'latest' || /^(x|any|dev-\w+|next|\*)$/i.test(text)) return 'open'
  if (/^>=?[^<,|]*$/.test(text) && !/[<~^]/.test(text)) return 'open'
  if (/^={1,3}\s*v?\d[^*]*$/.test(text)) return 'exact'
  if (/^v?\d+(\.\d+){0,3}([-+][\w.+-]+)?$/.test(text))
    return bareIsRange || /^\d+(\.\d+)?$/.test(text) ? (bareIsRange ? 'range' : 'exact') : 'exact'
  return 'range'
}

/** What two requirements must share to be met by one version: the major version of a range (`0.x` counts as major), all of an exact one. */
export function compatibilityOf({ requirement, firmness }: Pick<Dependency, 'requirement' | 'firmness'>): string {
  const match = /^[\^~>=v\s]*(\d+)(?:\.(\d+))?/.exec(requirement)
  if (firmness !== 'range' || match === null || /[,|<]|\s-\s/.test(requirement)) return requirement
  return match[1] === '0' ? `0.${match[2] ?? 0}` : match[1]!
}
