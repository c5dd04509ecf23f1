import { baseName } from '../git/path-name.ts'
import { parseCargoToml } from './cargo.ts'
import { parseComposerJson } from './composer.ts'
import { parseGoMod } from './go.ts'
import { parseGradle, parsePom } from './jvm.ts'
import type { ManifestParser } from './manifest.ts'
import { parsePackageJson } from './npm.ts'
import { parseActions, parseDockerfile, parseDotnetProject, parseMix, parsePubspec } from './others.ts'
import { parsePipfile, parsePyproject, parseRequirementsText, parseSetupCfg } from './python.ts'
import { parseGemfile, parseGemspec } from './ruby.ts'

const byName: Readonly<Record<string, ManifestParser>> = {
  'package.json': parsePackageJson,
  'composer.json': parseComposerJson,
  'pyproject.toml': parsePyproject,
  'setup.cfg': parseSetupCfg,
  Pipfile: parsePipfile,
  'Cargo.toml': parseCargoToml,
  'go.mod': parseGoMod,
  'pom.xml': parsePom,
  'build.gradle': parseGradle,
  'build.gradle.kts': parseGradle,
  Gemfile: parseGemfile,
  'pubspec.yaml': parsePubspec,
  'mix.exs': parseMix,
}

/** The parser for a file of this path, or null when it is no manifest. */
export function findParser(path: string): ManifestParser | null {
  const name = baseName(path)
  if (Object.hasOwn(byName, name)) return byName[name]!
  if (
    /^(dev-|test-)?requirements([-_.]\w+)*\.(txt|in)$/i.test(name) ||
    /(^|\/)requirements\/[^/]+\.(txt|in)$/i.test(path)
  ) {
    const development = /dev|test|lint|doc|ci/i.test(name)
    return (text) => parseRequirementsText(text, development)
  }
  if (/\.gemspec$/.test(name)) return parseGemspec
  if (/\.(cs|fs|vb)proj$|^(Directory\.Packages|packages)\.props$/i.test(name)) return parseDotnetProject
  if (/^(Docker|Container)file(\..+)?$|\.dockerfile$/i.test(name)) return parseDockerfile
  if (/^\.github\/workflows\/.+\.ya?ml$|(^|\/)action\.ya?ml$/.test(path)) return parseActions
  return null
}

/** Lock files and the ecosystem whose manifests beside or above them they lock. */
export const lockEcosystems: Readonly<Record<string, string>> = {
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
  'yarn.lock': 'npm',
  'pnpm-lock.yaml': 'npm',
  'bun.lock': 'npm',
  'bun.lockb': 'npm',
  'deno.lock': 'npm',
  'poetry.lock': 'PyPI',
  'uv.lock': 'PyPI',
  'pdm.lock': 'PyPI',
  'Pipfile.lock': 'PyPI',
  'conda-lock.yml': 'PyPI',
  'Cargo.lock': 'Cargo',
  'go.sum': 'Go',
  'Gemfile.lock': 'RubyGems',
  'composer.lock': 'Composer',
  'packages.lock.json': 'NuGet',
  'pubspec.lock': 'Pub',
  'mix.lock': 'Hex',
  'gradle.lockfile': 'Gradle',
}
