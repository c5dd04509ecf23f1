import type { CommandCheck } from './checks-contract.ts'
import type { DetectedChecks, DetectedCommand } from './detect-checks.ts'

/** Files that make a folder a package of its own. */
export const manifestNames: ReadonlySet<string> = new Set([
  ...['package.json', 'pyproject.toml', 'setup.py', 'setup.cfg', 'Cargo.toml', 'go.mod', 'pom.xml'],
  ...['build.gradle', 'build.gradle.kts', 'Makefile'],
])

/** A command and the folder in which it runs; empty: the top. */
export interface PlacedCommand {
  readonly argv: readonly string[]
  readonly folder: string
}

/** More packages than this are the whole repository. */
export const mostPackages = 50

/** The folders above the changed files, the top left out, each once, in order: where packages may begin. */
export function foldersAbove(paths: readonly string[]): readonly string[] {
  const folders = new Set<string>()
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1)
    for (let n = parts.length; n > 0; n--) folders.add(parts.slice(0, n).join('/'))
  }
  return [...folders].sort()
}

/** The packages that a change touches: of each file the nearest folder above it that is one. */
export function packagesOf(paths: readonly string[], isPackage: (folder: string) => boolean): readonly string[] {
  const found = new Set<string>()
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1)
    for (let n = parts.length; n > 0; n--) {
      const folder = parts.slice(0, n).join('/')
      if (!isPackage(folder)) continue
      found.add(folder)
      break
    }
  }
  return [...found].sort()
}

/**
 * What checks a change: the commands of the top folder, and those of the packages that it touches where the top has none of
 * their kind, as in a repository of many packages or of several languages.
 */
export function commandsFor(
  check: CommandCheck | 'setup',
  top: DetectedChecks,
  packages: ReadonlyMap<string, DetectedChecks>,
): readonly PlacedCommand[] {
  const known = new Set(top[check].map(({ ecosystem }) => familyOf(ecosystem)))
  const below = [...packages].flatMap(([folder, found]) =>
    found[check]
      .filter(({ ecosystem }) => !known.has(familyOf(ecosystem)))
      .map(({ argv }): PlacedCommand => ({ argv, folder })),
  )
  return [...top[check].map(({ argv }): PlacedCommand => ({ argv, folder: '' })), ...below]
}

function familyOf(ecosystem: DetectedCommand['ecosystem']): string {
  return ecosystem === 'pnpm' || ecosystem === 'yarn' ? 'npm' : ecosystem
}

/** As people read it, and as they would type it. */
export function commandText({ argv, folder }: PlacedCommand): string {
  return folder === '' ? argv.join(' ') : `${argv.join(' ')} (in ${folder})`
}
