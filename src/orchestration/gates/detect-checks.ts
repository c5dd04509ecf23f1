import type { CommandCheck } from './checks-contract.ts'

/** Files below that count among the names: they say whether the tests are a Python package. */
export const pythonTests = ['tests/__init__.py', 'test/__init__.py'] as const

/** A folder of a repository, as far as it says which tools it uses. */
export interface TopFolder {
  readonly names: ReadonlySet<string>
  /** What lies in the top folder, where this is one below: its lock file says which package manager is used. */
  readonly top?: ReadonlySet<string>
  /** Null where there is no such file, or it is too large to be one of these. */
  read(name: string): string | null
}

export interface DetectedCommand {
  readonly ecosystem: 'npm' | 'pnpm' | 'yarn' | 'python' | 'cargo' | 'go' | 'maven' | 'gradle' | 'make'
  readonly argv: readonly string[]
}

export type DetectedChecks = Readonly<Record<CommandCheck, readonly DetectedCommand[]>> & {
  /** What must be done once before any of them can run. */
  readonly setup: readonly DetectedCommand[]
}

type Found = { -readonly [Name in keyof DetectedChecks]: DetectedCommand[] }

/**
 * The commands by which a repository is checked, by what lies in its top folder: package.json (npm, pnpm, yarn), Python
 * (pytest, unittest), Cargo.toml, go.mod, pom.xml, build.gradle. A Makefile counts where nothing else does a check.
 */
export function detectChecks(folder: TopFolder): DetectedChecks {
  const found: Found = { setup: [], tests: [], coverage: [], lint: [], types: [], security: [] }
  detectNode(folder, found)
  detectPython(folder, found)
  detectCargo(folder, found)
  detectGo(folder, found)
  detectMaven(folder, found)
  detectGradle(folder, found)
  detectMake(folder, found)
  return found
}

function detectNode({ names, top, read }: TopFolder, found: Found): void {
  const manifest = parseManifest(read('package.json'))
  if (manifest === null) return
  const isThere = (name: string) => names.has(name) || (top?.has(name) ?? false)
  const manager = isThere('pnpm-lock.yaml') ? 'pnpm' : isThere('yarn.lock') ? 'yarn' : 'npm'
  const scripts = manifest.scripts ?? {}
  const has = (name: string) => typeof scripts[name] === 'string' && !/no test specified/.test(scripts[name])
  const add = (check: CommandCheck, candidates: readonly string[]) => {
    const name = candidates.find(has)
    if (name !== undefined) found[check].push({ ecosystem: manager, argv: [manager, 'run', name] })
  }
  add('tests', ['test', 'tests', 'test:unit'])
  add('coverage', ['coverage', 'test:coverage', 'test:cov', 'cov'])
  add('lint', ['lint', 'lint:check', 'eslint'])
  add('types', ['typecheck', 'type-check', 'types', 'check-types', 'tsc'])
  add('security', ['security', 'audit'])
  const dependencies = { ...manifest.dependencies, ...manifest.devDependencies }
  if (found.types.length === 0 && names.has('tsconfig.json') && 'typescript' in dependencies) {
    found.types.push({ ecosystem: manager, argv: ['npx', '--no-install', 'tsc', '--noEmit'] })
  }
  const isWorkspace = manifest.workspaces !== undefined || names.has('pnpm-workspace.yaml')
  if ((Object.keys(dependencies).length > 0 || isWorkspace) && !isThere('node_modules')) {
    found.setup.push({ ecosystem: manager, argv: installers[manager](names) })
  }
}

const installers: Readonly<Record<'npm' | 'pnpm' | 'yarn', (names: ReadonlySet<string>) => readonly string[]>> = {
  npm: (names) => [
    'npm',
    names.has('package-lock.json') ? 'ci' : 'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ],
  pnpm: () => ['pnpm', 'install', '--frozen-lockfile', '--prefer-offline'],
  yarn: () => ['yarn', 'install', '--frozen-lockfile', '--prefer-offline'],
}

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>
  readonly workspaces?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function parseManifest(text: string | null): Manifest | null {
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Manifest) : null
  } catch {
    // A manifest that is no JSON names no commands; npm itself will say so where it is asked.
    return null
  }
}

function detectPython({ names, read }: TopFolder, found: Found): void {
  const project = read('pyproject.toml') ?? ''
  const settings = `${project}\n${read('setup.cfg') ?? ''}\n${read('tox.ini') ?? ''}`
  const wanted = `${settings}\n${[...names]
    .filter((name) => /requirements.*\.txt$/.test(name))
    .map((name) => read(name) ?? '')
    .join('\n')}`
  const isPython =
    ['pyproject.toml', 'setup.py', 'setup.cfg', 'pytest.ini', 'tox.ini', 'conftest.py'].some((name) =>
      names.has(name),
    ) || [...names].some((name) => /^requirements.*\.txt$|^test_.*\.py$/.test(name))
  if (!isPython) return
  const add = (check: CommandCheck, argv: readonly string[]) => found[check].push({ ecosystem: 'python', argv })
  const usesPytest = names.has('pytest.ini') || names.has('conftest.py') || /pytest/.test(wanted)
  const hasTests = names.has('tests') || names.has('test') || [...names].some((name) => /^test_.*\.py$/.test(name))
  if (usesPytest) add('tests', ['python3', '-m', 'pytest', '-q'])
  else if (hasTests) add('tests', ['python3', '-m', 'unittest', 'discover', ...whereTests(names)])
  if (/pytest-cov/.test(wanted)) add('coverage', ['python3', '-m', 'pytest', '-q', '--cov', '--cov-report=term'])
  if (names.has('ruff.toml') || names.has('.ruff.toml') || /\[tool\.ruff/.test(project))
    add('lint', ['ruff', 'check', '.'])
  else if (names.has('.flake8') || /\[flake8\]/.test(settings)) add('lint', ['python3', '-m', 'flake8'])
  if (names.has('mypy.ini') || names.has('.mypy.ini') || /\[tool\.mypy|\[mypy\]/.test(settings))
    add('types', ['python3', '-m', 'mypy', '.'])
  else if (names.has('pyrightconfig.json')) add('types', ['pyright'])
  if (names.has('.bandit') || /\[tool\.bandit/.test(project)) add('security', ['bandit', '-q', '-r', '.'])
}

/** From the top folder only packages are found: tests in a plain folder would be passed over, and none of them would fail. */
function whereTests(names: ReadonlySet<string>): readonly string[] {
  const folder = ['tests', 'test'].find((name) => names.has(name))
  return folder === undefined || names.has(`${folder}/__init__.py`) ? [] : ['-s', folder]
}

function detectCargo({ names }: TopFolder, found: Found): void {
  if (!names.has('Cargo.toml')) return
  const add = (check: CommandCheck, argv: readonly string[]) => found[check].push({ ecosystem: 'cargo', argv })
  add('tests', ['cargo', 'test', '--quiet'])
  add('types', ['cargo', 'check', '--quiet'])
  if (names.has('clippy.toml') || names.has('.clippy.toml'))
    add('lint', ['cargo', 'clippy', '--quiet', '--', '-D', 'warnings'])
  if (names.has('tarpaulin.toml')) add('coverage', ['cargo', 'tarpaulin'])
  if (names.has('deny.toml')) add('security', ['cargo', 'deny', 'check'])
}

function detectGo({ names }: TopFolder, found: Found): void {
  if (!names.has('go.mod')) return
  const add = (check: CommandCheck, argv: readonly string[]) => found[check].push({ ecosystem: 'go', argv })
  add('tests', ['go', 'test', './...'])
  add('coverage', ['go', 'test', '-cover', './...'])
  add('types', ['go', 'build', './...'])
  const linter = [...names].some((name) => name.startsWith('.golangci.'))
  add('lint', linter ? ['golangci-lint', 'run'] : ['go', 'vet', './...'])
}

function detectMaven({ names, read }: TopFolder, found: Found): void {
  const project = read('pom.xml')
  if (project === null) return
  const maven = names.has('mvnw') ? './mvnw' : 'mvn'
  const add = (check: CommandCheck, ...words: string[]) =>
    found[check].push({ ecosystem: 'maven', argv: [maven, '-B', ...words] })
  // Told to be quiet, it would not say which tests ran, nor that none did.
  add('tests', 'test')
  add('types', '-q', 'test-compile')
  if (/jacoco/.test(project)) add('coverage', 'verify')
  if (/maven-checkstyle-plugin/.test(project)) add('lint', '-q', 'checkstyle:check')
  if (/dependency-check-maven/.test(project)) add('security', '-q', 'dependency-check:check')
}

function detectGradle({ names, read }: TopFolder, found: Found): void {
  const project = read('build.gradle') ?? read('build.gradle.kts') ?? ''
  if (!['build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'].some((name) => names.has(name)))
    return
  const gradle = names.has('gradlew') ? './gradlew' : 'gradle'
  const add = (check: CommandCheck, ...tasks: string[]) =>
    found[check].push({ ecosystem: 'gradle', argv: [gradle, '-q', '--console=plain', ...tasks] })
  add('tests', 'test')
  add('types', 'testClasses')
  if (/jacoco/.test(project)) add('coverage', 'test', 'jacocoTestReport')
  if (/ktlint/.test(project)) add('lint', 'ktlintCheck')
  else if (/detekt/.test(project)) add('lint', 'detekt')
  else if (/spotless/.test(project)) add('lint', 'spotlessCheck')
  else if (/checkstyle/.test(project)) add('lint', 'checkstyleMain')
  if (/dependencycheck/.test(project)) add('security', 'dependencyCheckAnalyze')
}

const makeTargets: Readonly<Record<CommandCheck, readonly string[]>> = {
  tests: ['test', 'tests', 'check'],
  coverage: ['coverage', 'cov'],
  lint: ['lint'],
  types: ['typecheck', 'types'],
  security: ['security', 'audit'],
}

function detectMake({ read }: TopFolder, found: Found): void {
  const makefile = read('Makefile') ?? read('makefile') ?? read('GNUmakefile')
  if (makefile === null) return
  const targets = new Set([...makefile.matchAll(/^([A-Za-z0-9_.-]+)\s*:(?!=)/gm)].map((match) => match[1]!))
  for (const [check, names] of Object.entries(makeTargets) as [CommandCheck, readonly string[]][]) {
    const target = names.find((name) => targets.has(name))
    if (target !== undefined && found[check].length === 0)
      found[check].push({ ecosystem: 'make', argv: ['make', target] })
  }
}
