import { expect, test } from 'vitest'
import { commandChecks } from './checks-contract.ts'
import { detectChecks } from './detect-checks.ts'

function commandsOf(files: Readonly<Record<string, string>>, check: (typeof commandChecks)[number] | 'setup') {
  const detected = detectChecks({ names: new Set(Object.keys(files)), read: (name) => files[name] ?? null })
  return detected[check].map(({ argv }) => argv.join(' '))
}

const scripts = { test: 'node --test', coverage: 'c8 npm test', lint: 'eslint .', typecheck: 'tsc', audit: 'x' }
const manifest = JSON.stringify({ scripts })

test.each([
  ['npm', { 'package.json': manifest, 'package-lock.json': '' }],
  ['pnpm', { 'package.json': manifest, 'pnpm-lock.yaml': '' }],
  ['yarn', { 'package.json': manifest, 'yarn.lock': '' }],
])('%s: the scripts of package.json', (manager, files) => {
  expect(commandChecks.map((check) => commandsOf(files, check))).toEqual([
    [`${manager} run test`],
    [`${manager} run coverage`],
    [`${manager} run lint`],
    [`${manager} run typecheck`],
    [`${manager} run audit`],
  ])
  expect(commandsOf(files, 'setup')).toEqual([])
})

test('the test script that npm init writes is none, and a manifest that is no JSON names nothing', () => {
  const empty = JSON.stringify({ scripts: { test: 'echo "Error: no test specified" && exit 1' } })
  expect(commandsOf({ 'package.json': empty }, 'tests')).toEqual([])
  expect(commandsOf({ 'package.json': '{' }, 'tests')).toEqual([])
})

test('dependencies are installed by the lock file, unless they are there', () => {
  const files = { 'package.json': JSON.stringify({ scripts, devDependencies: { typescript: '6' } }) }
  const quiet = '--prefer-offline --no-audit --no-fund'
  expect(commandsOf({ ...files, 'package-lock.json': '' }, 'setup')).toEqual([`npm ci ${quiet}`])
  expect(commandsOf(files, 'setup')).toEqual([`npm install ${quiet}`])
  expect(commandsOf({ ...files, node_modules: '' }, 'setup')).toEqual([])
})

test.each([
  [
    'pytest',
    { 'pyproject.toml': '[tool.pytest.ini_options]\n[tool.ruff]\n[tool.mypy]' },
    'tests',
    'python3 -m pytest -q',
  ],
  ['ruff', { 'pyproject.toml': '[tool.ruff]' }, 'lint', 'ruff check .'],
  ['mypy', { 'mypy.ini': '', 'setup.py': '' }, 'types', 'python3 -m mypy .'],
  ['unittest', { 'setup.py': '', 'test_a.py': '' }, 'tests', 'python3 -m unittest discover'],
  ['unittest, tests in a folder', { 'setup.py': '', tests: '' }, 'tests', 'python3 -m unittest discover -s tests'],
  [
    ...(['unittest, tests in a package', { 'setup.py': '', tests: '', 'tests/__init__.py': '' }] as const),
    ...(['tests', 'python3 -m unittest discover'] as const),
  ],
  ['bandit', { 'setup.cfg': '', '.bandit': '' }, 'security', 'bandit -q -r .'],
  ['cargo', { 'Cargo.toml': '' }, 'tests', 'cargo test --quiet'],
  ['clippy', { 'Cargo.toml': '', 'clippy.toml': '' }, 'lint', 'cargo clippy --quiet -- -D warnings'],
  ['go', { 'go.mod': '' }, 'tests', 'go test ./...'],
  ['go vet', { 'go.mod': '' }, 'lint', 'go vet ./...'],
  ['maven', { 'pom.xml': '<project/>' }, 'tests', 'mvn -B test'],
  ['the wrapper of maven', { 'pom.xml': '<project>jacoco</project>', mvnw: '' }, 'coverage', './mvnw -B verify'],
  ['make', { Makefile: 'VERSION := 1\ntest: build\n\tcc x.c\nlint:\n\ttrue\n' }, 'tests', 'make test'],
] as const)('%s', (_, files, check, command) => {
  expect(commandsOf(files, check)).toEqual([command])
})

test('a Makefile does what nothing else does, and several ecosystems are all asked', () => {
  const files = { 'package.json': manifest, 'go.mod': '', Makefile: 'test:\n\ttrue\nsecurity:\n\ttrue\n' }
  expect(commandsOf(files, 'tests')).toEqual(['npm run test', 'go test ./...'])
  expect(commandsOf({ Makefile: files.Makefile, 'go.mod': '' }, 'security')).toEqual(['make security'])
  expect(commandsOf({}, 'tests')).toEqual([])
})

test('Gradle, by its wrapper where there is one', () => {
  const build = "plugins { id 'java'; id 'jacoco'; id 'com.diffplug.spotless' }"
  const files = { 'build.gradle': build, gradlew: '', 'settings.gradle': '' }
  const words = './gradlew -q --console=plain'
  expect(commandsOf(files, 'tests')).toEqual([`${words} test`])
  expect(commandsOf(files, 'coverage')).toEqual([`${words} test jacocoTestReport`])
  expect(commandsOf(files, 'lint')).toEqual([`${words} spotlessCheck`])
  expect(commandsOf(files, 'types')).toEqual([`${words} testClasses`])
  expect(commandsOf({ 'settings.gradle.kts': '' }, 'tests')).toEqual(['gradle -q --console=plain test'])
})

test('a workspace installs from its top, whatever its own dependencies are', () => {
  const workspace = JSON.stringify({ workspaces: ['packages/*'] })
  expect(commandsOf({ 'package.json': workspace, 'package-lock.json': '' }, 'setup')).toEqual([
    'npm ci --prefer-offline --no-audit --no-fund',
  ])
  expect(commandsOf({ 'package.json': workspace, node_modules: '' }, 'setup')).toEqual([])
})
