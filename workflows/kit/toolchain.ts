import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DetectedChecks,
  type DetectedCommand,
  detectChecks,
  pythonTests,
} from '../../src/orchestration/gates/detect-checks.ts'
import { type CommandEnd, type CommandOptions, endText, lastLines, runCommand, shown } from './run-command.ts'

/** The commands of a repository, by what lies in its top folder. */
export interface Toolchain {
  readonly checks: DetectedChecks
  readonly ecosystems: readonly string[]
  readonly build: readonly DetectedCommand[]
  /** What makes the thing that is shipped. */
  readonly pack: readonly DetectedCommand[]
  /** What the repository measures itself with. */
  readonly bench: readonly DetectedCommand[]
  /** Names of files and folders. */
  readonly names: ReadonlySet<string>
  readonly manifest: Readonly<Record<string, unknown>> | null
}

const largestFile = 4_000_000

export function readToolchain(folder: string): Toolchain {
  const names = new Set(readdirSync(folder))
  for (const name of pythonTests) if (existsSync(join(folder, name))) names.add(name)
  const read = (name: string) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false })
    return stat?.isFile() && stat.size <= largestFile ? readFileSync(join(folder, name), 'utf8') : null
  }
  const checks = detectChecks({ names, read })
  const manifest = names.has('package.json') ? parse(read('package.json')) : null
  const scripts = (manifest?.scripts ?? {}) as Record<string, unknown>
  const manager = names.has('pnpm-lock.yaml') ? 'pnpm' : names.has('yarn.lock') ? 'yarn' : 'npm'
  const script = (...candidates: string[]): DetectedCommand[] => {
    const name = candidates.find((each) => typeof scripts[each] === 'string')
    return name === undefined ? [] : [{ ecosystem: manager, argv: [manager, 'run', name] }]
  }
  const targets = new Set(
    [...(read('Makefile') ?? '').matchAll(/^([A-Za-z0-9_.-]+)\s*:(?!=)/gm)].map((match) => match[1]!),
  )
  const make = (...candidates: string[]): DetectedCommand[] => {
    const target = candidates.find((each) => targets.has(each))
    return target === undefined ? [] : [{ ecosystem: 'make', argv: ['make', target] }]
  }
  const or = (...lists: DetectedCommand[][]) => lists.find((list) => list.length > 0) ?? []
  const maven = names.has('mvnw') ? './mvnw' : 'mvn'
  const build = or(
    script('build', 'compile', 'dist'),
    names.has('Cargo.toml') ? [{ ecosystem: 'cargo', argv: ['cargo', 'build', '--release', '--quiet'] }] : [],
    names.has('go.mod') ? [{ ecosystem: 'go', argv: ['go', 'build', './...'] }] : [],
    names.has('pom.xml') ? [{ ecosystem: 'maven', argv: [maven, '-q', '-B', 'package', '-DskipTests'] }] : [],
    make('build', 'all', 'dist'),
  )
  const isPackage = manifest !== null && typeof manifest.name === 'string' && typeof manifest.version === 'string'
  const pack = or(
    isPackage ? [{ ecosystem: manager, argv: ['npm', 'pack', '--ignore-scripts', '--json'] }] : [],
    names.has('Cargo.toml')
      ? [{ ecosystem: 'cargo', argv: ['cargo', 'package', '--no-verify', '--allow-dirty', '--quiet'] }]
      : [],
    make('package', 'dist'),
  )
  const bench = or(
    script('bench', 'benchmark', 'benchmarks', 'perf'),
    names.has('Cargo.toml') && names.has('benches')
      ? [{ ecosystem: 'cargo', argv: ['cargo', 'bench', '--quiet'] }]
      : [],
    make('bench', 'benchmark'),
  )
  const all = [...Object.values(checks).flat(), ...build, ...pack, ...bench]
  return {
    checks,
    ecosystems: [...new Set(all.map(({ ecosystem }) => ecosystem))],
    build,
    pack,
    bench,
    names,
    manifest,
  }
}

/** Does once what must be done before any command can run. Null: it is done; else why it could not be. */
export async function setUp(toolchain: Toolchain, options: CommandOptions): Promise<string | null> {
  for (const { argv } of toolchain.checks.setup) {
    const end = await runCommand(argv, options)
    if (end.exitCode !== 0) return failureText(end)
  }
  return null
}

export function failureText(end: CommandEnd): string {
  return `${shown(end.argv)} ${endText(end)}: ${lastLines(end.output, 3, 400).replaceAll('\n', ' / ')}`
}

function parse(text: string | null): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    // Its own tool says what is wrong with it.
    return null
  }
}
