import { baseName, folderOf, showBytes, showText } from './git/path-name.ts'
import { lockEcosystems } from './manifests/find-parser.ts'
import { compatibilityOf, type Ecosystem, type Manifest } from './manifests/manifest.ts'
import type { LockedPackage } from './manifests/npm.ts'
import { normaliseLicence } from './rules/licences.ts'

export interface ManifestSummary {
  readonly path: string
  readonly ecosystem: Ecosystem
  readonly name: string | null
  readonly licence: string | null
  readonly runtime: number
  readonly development: number
  readonly locked: boolean
}

export interface NamedDependency {
  readonly manifest: string
  readonly name: string
  readonly requirement: string
}

export interface DependenciesFacts {
  /** Largest first, at most 30. */
  readonly manifests: readonly ManifestSummary[]
  readonly manifestCount: number
  /** Distinct direct dependencies by ecosystem. */
  readonly ecosystems: readonly {
    readonly ecosystem: Ecosystem
    readonly manifests: number
    readonly runtime: number
    readonly development: number
  }[]
  /** From a git or web address; at most 15. */
  readonly fromSource: readonly NamedDependency[]
  /** Runtime dependencies that any later version satisfies; at most 15. */
  readonly open: readonly NamedDependency[]
  readonly openCount: number
  /** Dependencies that several manifests ask for in different versions; at most 15. */
  readonly disagreeing: readonly {
    readonly name: string
    readonly requirements: readonly { readonly requirement: string; readonly manifests: readonly string[] }[]
  }[]
  readonly unlocked: readonly { readonly path: string; readonly ecosystem: Ecosystem }[]
  readonly actions: { readonly total: number; readonly pinned: number; readonly thirdPartyUnpinned: readonly string[] }
  readonly images: { readonly total: number; readonly unpinned: readonly NamedDependency[] }
  /** Licence files of this repository, told by their text. */
  readonly licenceFiles: readonly { readonly path: string; readonly licence: string | null }[]
  /** What the manifests say, with the number of manifests. */
  readonly declared: readonly { readonly licence: string; readonly manifests: number }[]
  /** Licences of locked packages, where lock files tell them. */
  readonly locked: {
    readonly packages: number
    readonly licences: readonly {
      readonly licence: string
      readonly packages: number
      readonly examples: readonly string[]
    }[]
  } | null
  readonly unreadable: readonly string[]
}

/** A manifest that could be read, and where. The path is a byte string. */
export interface ReadManifest {
  readonly path: string
  readonly manifest: Manifest
}

/** What was read of a repository, before anything is counted. */
export interface DependencySources {
  readonly manifests: readonly ReadManifest[]
  readonly locked: readonly LockedPackage[]
  readonly licenceFiles: readonly { readonly path: string; readonly licence: string | null }[]
  readonly unreadable: readonly string[]
  /** Paths of all files, byte strings; lock files are found among them. */
  readonly paths: readonly string[]
}

const example = /(^|\/)(examples?|fixtures?|templates?|demos?|samples?)\//

/** Counts and compares. Pure. */
export function describeDependencies({
  manifests: read,
  locked: lockedPackages,
  licenceFiles,
  unreadable,
  paths,
}: DependencySources): DependenciesFacts {
  const packages = read.filter(
    ({ manifest }) => manifest.ecosystem !== 'Docker' && manifest.ecosystem !== 'GitHub Actions',
  )
  const locks = lockFolders(paths)
  const isLocked = ({ path, manifest }: ReadManifest) => {
    for (let folder = folderOf(path); ; folder = folderOf(folder)) {
      if (locks.has(`${manifest.ecosystem} ${folder}`)) return true
      if (folder === '') return false
    }
  }
  const named = ({ path, manifest }: ReadManifest, wanted: (d: Manifest['dependencies'][number]) => boolean) =>
    manifest.dependencies.filter(wanted).map((d) => ({
      manifest: showBytes(path),
      name: showText(d.name),
      requirement: showText(d.requirement).slice(0, 100),
    }))
  // Python and Ruby libraries leave the upper bound to their users by custom; applications have a lock file.
  const byCustom = ({ ecosystem, private: own }: Manifest) => !own && (ecosystem === 'PyPI' || ecosystem === 'RubyGems')
  const loose = packages.filter(
    (one) => !byCustom(one.manifest) && !isLocked(one) && !example.test(one.path) && !isLibraryGemfile(one, packages),
  )
  const open = loose.flatMap((one) => named(one, (d) => d.firmness === 'open' && d.scope === 'runtime'))
  const count = (manifest: Manifest, scope: string) => manifest.dependencies.filter((d) => d.scope === scope).length
  return {
    manifests: packages
      .map((one) => ({
        path: showBytes(one.path),
        ecosystem: one.manifest.ecosystem,
        name: one.manifest.name && showText(one.manifest.name).slice(0, 80),
        licence: one.manifest.licence && showText(one.manifest.licence).slice(0, 60),
        runtime: count(one.manifest, 'runtime'),
        development: count(one.manifest, 'development'),
        locked: isLocked(one),
      }))
      .sort((a, b) => b.runtime + b.development - a.runtime - a.development)
      .slice(0, 30),
    manifestCount: packages.length,
    ecosystems: byEcosystem(packages),
    fromSource: packages.flatMap((one) => named(one, (d) => d.firmness === 'source')).slice(0, 15),
    open: open.slice(0, 15),
    openCount: open.length,
    disagreeing: findDisagreements(packages),
    unlocked: packages
      .filter(
        (one) =>
          one.manifest.private &&
          one.manifest.dependencies.some((d) => d.firmness !== 'local') &&
          !example.test(one.path) &&
          !isLibraryGemfile(one, packages) &&
          Object.values(lockEcosystems).includes(one.manifest.ecosystem) &&
          one.manifest.ecosystem !== 'Go' &&
          one.manifest.ecosystem !== 'Gradle' &&
          !isLocked(one),
      )
      .map((one) => ({ path: showBytes(one.path), ecosystem: one.manifest.ecosystem }))
      .slice(0, 15),
    actions: sumActions(read),
    images: sumImages(read),
    licenceFiles: licenceFiles.slice(0, 20),
    declared: tally(
      packages.flatMap(({ manifest }) =>
        manifest.licence === null ? [] : [normaliseLicence(manifest.licence).join(' OR ')],
      ),
    )
      .map(([licence, manifests]) => ({ licence: showText(licence).slice(0, 80), manifests }))
      .slice(0, 12),
    locked: lockedPackages.length === 0 ? null : sumLocked(lockedPackages),
    unreadable: unreadable.slice(0, 10),
  }
}

/** A Gemfile beside a gemspec lists what the developers of the library need. */
function isLibraryGemfile({ path }: ReadManifest, packages: readonly ReadManifest[]): boolean {
  return (
    baseName(path) === 'Gemfile' &&
    packages.some((other) => other.path.endsWith('.gemspec') && folderOf(other.path) === folderOf(path))
  )
}

/** `ecosystem folder` of every lock file; Go counts go.sum. */
function lockFolders(paths: readonly string[]): Set<string> {
  const folders = new Set<string>()
  for (const path of paths) {
    const ecosystem = lockEcosystems[baseName(path)]
    if (ecosystem !== undefined) folders.add(`${ecosystem} ${folderOf(path)}`)
  }
  return folders
}

function byEcosystem(packages: readonly ReadManifest[]): DependenciesFacts['ecosystems'] {
  const totals = new Map<Ecosystem, { manifests: number; runtime: Set<string>; development: Set<string> }>()
  for (const { manifest } of packages) {
    const total = totals.get(manifest.ecosystem) ?? {
      manifests: 0,
      runtime: new Set<string>(),
      development: new Set<string>(),
    }
    totals.set(manifest.ecosystem, total)
    total.manifests += 1
    for (const { name, scope, firmness } of manifest.dependencies) {
      if (firmness !== 'local')
        (scope === 'development' || scope === 'build' ? total.development : total.runtime).add(name)
    }
  }
  return [...totals]
    .map(([ecosystem, total]) => ({
      ecosystem,
      manifests: total.manifests,
      runtime: total.runtime.size,
      development: total.development.size,
    }))
    .sort((a, b) => b.runtime + b.development - a.runtime - a.development)
}

function findDisagreements(packages: readonly ReadManifest[]): DependenciesFacts['disagreeing'] {
  const asked = new Map<string, { classes: Set<string>; requirements: Map<string, string[]> }>()
  for (const { path, manifest } of packages) {
    if (example.test(path)) continue
    for (const { name, requirement, scope, firmness } of manifest.dependencies) {
      if (scope === 'peer' || firmness === 'local' || firmness === 'elsewhere' || requirement === '') continue
      const key = `${manifest.ecosystem} ${name}`
      const entry = asked.get(key) ?? { classes: new Set<string>(), requirements: new Map<string, string[]>() }
      asked.set(key, entry)
      const { classes, requirements } = entry
      classes.add(compatibilityOf({ requirement, firmness }))
      const where = requirements.get(requirement) ?? []
      requirements.set(requirement, where)
      if (!where.includes(path)) where.push(path)
    }
  }
  return [...asked]
    .filter(([, { classes, requirements }]) => classes.size > 1 && new Set([...requirements.values()].flat()).size > 1)
    .map(([key, { requirements }]) => [key, requirements] as const)
    .sort((a, b) => b[1].size - a[1].size || (a[0] < b[0] ? -1 : 1))
    .slice(0, 15)
    .map(([key, requirements]) => ({
      name: showText(key.slice(key.indexOf(' ') + 1)),
      requirements: [...requirements].slice(0, 5).map(([requirement, where]) => ({
        requirement: showText(requirement).slice(0, 60),
        manifests: where.slice(0, 3).map(showBytes),
      })),
    }))
}

function sumActions(read: readonly ReadManifest[]): DependenciesFacts['actions'] {
  const uses = read
    .filter(({ manifest }) => manifest.ecosystem === 'GitHub Actions')
    .flatMap(({ manifest }) => manifest.dependencies)
  const loose = uses.filter((use) => use.firmness !== 'exact' && !/^(actions|github)\//.test(use.name))
  return {
    total: uses.length,
    pinned: uses.filter((use) => use.firmness === 'exact').length,
    thirdPartyUnpinned: tally(loose.map((use) => `${use.name}@${use.requirement}`))
      .slice(0, 12)
      .map(([name]) => showText(name)),
  }
}

function sumImages(read: readonly ReadManifest[]): DependenciesFacts['images'] {
  const images = read
    .filter(({ manifest }) => manifest.ecosystem === 'Docker')
    .flatMap(({ path, manifest }) => manifest.dependencies.map((d) => ({ ...d, path })))
  return {
    total: images.length,
    unpinned: images
      .filter((image) => image.firmness === 'open')
      .slice(0, 10)
      .map(({ path, name, requirement }) => ({ manifest: showBytes(path), name: showText(name), requirement })),
  }
}

function sumLocked(packages: readonly LockedPackage[]): NonNullable<DependenciesFacts['locked']> {
  const distinct = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]))
  const licences = new Map<string, string[]>()
  for (const { name, licence } of distinct.values()) {
    const key = licence === null ? 'not stated' : showText(licence).slice(0, 60)
    const names = licences.get(key)
    if (names === undefined) licences.set(key, [name])
    else names.push(name)
  }
  return {
    packages: distinct.size,
    licences: [...licences]
      .sort((a, b) => b[1].length - a[1].length)
      .slice(0, 25)
      .map(([licence, names]) => ({ licence, packages: names.length, examples: names.slice(0, 4).map(showText) })),
  }
}

function tally(items: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
}
