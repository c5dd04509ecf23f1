import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findingsIn } from '../../src/orchestration/gates/security-findings.ts'
import { findingsUnder } from '../kit/finding.ts'
import { readToolchain } from '../kit/toolchain.ts'
import { type WorkStep, workProgram } from '../kit/work-program.ts'
import { gitText } from '../kit/worktree.ts'
import { table } from '../repo-checkup/report/markdown.ts'
import type { Finding } from '../repo-checkup/result.ts'
import { commandOf } from './perform.ts'

const finding = findingsUnder('preflight')

export interface PreflightFacts {
  /** What must be made good before anything is deployed. */
  readonly blocking: readonly string[]
  readonly version: string | null
  readonly lastTag: string | null
  /** Commits since the last tag. */
  readonly since: number | null
  readonly ecosystems: readonly string[]
  /** Whether the repository has tests. */
  readonly tests: boolean
}

const locks = [
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'Cargo.lock',
  'go.sum',
  'poetry.lock',
  'uv.lock',
  'composer.lock',
  'Gemfile.lock',
  'bun.lock',
]

export const preflight: WorkStep<PreflightFacts> = {
  name: 'preflight',
  options: ['repo', 'commit', 'branch', 'deploy', 'verify', 'rollback'],
  async run({ folder, options, signal }) {
    const { repo = '.', commit = '', branch = '' } = options
    const git = (...args: string[]) => gitText(repo, args, signal)
    // What is no command is refused before anything is built.
    const commands = {
      deploy: commandOf(options.deploy, 'deploy'),
      verify: commandOf(options.verify, 'verify'),
      rollback: commandOf(options.rollback, 'rollback'),
    }
    const { names, manifest, checks, build, ecosystems } = readToolchain(folder)
    const version = typeof manifest?.version === 'string' ? manifest.version : null
    const lastTag = commit === '' ? null : await git('describe', '--tags', '--abbrev=0', commit)
    const tagged = version === null ? null : await git('rev-parse', '-q', '--verify', `refs/tags/v${version}^{commit}`)
    const since =
      commit === '' ? null : await git('rev-list', '--count', lastTag === null ? commit : `${lastTag}..${commit}`)
    const changed =
      commit === ''
        ? null
        : await git(
            'diff',
            '--no-ext-diff',
            '--no-textconv',
            '-U0',
            ...(lastTag === null ? ['4b825dc642cb6eb9a060e54bf8d69288fbee4904'] : [lastTag]),
            commit,
          )
    const secrets = findingsIn(changed ?? '').filter(({ rule }) => /key|token|secret/i.test(rule))
    const isOn = branch === '' || (await git('merge-base', '--is-ancestor', commit, `refs/heads/${branch}`)) !== null
    const wantsLock =
      ecosystems.some((each) => !['make', 'maven', 'python'].includes(each)) &&
      hasDependencies(manifest) &&
      !(ecosystems.every((each) => each === 'go' || each === 'make') && !(await requiresModules(folder)))
    const all: (readonly [boolean, boolean, Finding])[] = [
      [
        commit === '',
        true,
        finding('commit', 95, 'There is no commit to deploy', 'The repository is empty.', 'Make a commit.', []),
      ],
      [
        commands.deploy === null,
        true,
        finding(
          'command',
          95,
          'No deploy command is given',
          'There is nothing to run.',
          '--input deploy=["./deploy.sh"]',
          [],
        ),
      ],
      [
        !isOn,
        true,
        finding(
          'branch',
          90,
          `The commit is not on ${branch}`,
          'Only what is there may be deployed.',
          `Merge it into ${branch} first.`,
          [commit.slice(0, 12)],
        ),
      ],
      [
        secrets.length > 0,
        true,
        finding(
          'secrets',
          95,
          'What changed since the last tag holds secrets',
          'They would be shipped.',
          'Revoke them, and take them out.',
          secrets.map(({ text }) => text),
        ),
      ],
      [
        checks.tests.length === 0,
        false,
        finding(
          'tests',
          60,
          'There are no tests',
          'Nothing says that it works but the verification.',
          'Add a test command.',
          [],
        ),
      ],
      [
        wantsLock && !locks.some((name) => names.has(name)),
        false,
        finding(
          'lock',
          55,
          'There is no lock file',
          'The same commit can be built of other parts tomorrow.',
          'Commit the lock file.',
          [],
        ),
      ],
      [
        tagged !== null && tagged !== commit,
        false,
        finding(
          'version',
          50,
          `The version ${version} has been tagged before, at another commit`,
          'Two different things would have the same name.',
          'Raise the version.',
          [`v${version}`],
        ),
      ],
      [
        commands.rollback === null,
        false,
        finding(
          'rollback',
          45,
          'There is no rollback command',
          'Where the verification fails, a person must take it back.',
          '--input rollback=["./deploy.sh","previous"]',
          [],
        ),
      ],
      [
        commands.verify === null,
        false,
        finding(
          'verify',
          50,
          'There is no verification',
          'Whether it works is found out by its users.',
          '--input verify=["curl","-fsS","https://.../health"]',
          [],
        ),
      ],
    ]
    const found = all.filter(([is]) => is)
    const blocking = found.filter(([, blocks]) => blocks).map(([, , { title }]) => title)
    const rows = [
      ['Version', version ?? 'none'],
      ['Last tag', lastTag ?? 'none'],
      ['Commits since', since ?? 'unknown'],
      ['Build', build.map(({ argv }) => argv.join(' ')).join(', ') || 'none'],
      ['Tests', checks.tests.map(({ argv }) => argv.join(' ')).join(', ') || 'none'],
    ]
    return {
      facts: {
        blocking,
        version,
        lastTag,
        since: since === null ? null : Number(since),
        ecosystems,
        tests: checks.tests.length > 0,
      },
      findings: found.map(([, , one]) => one),
      sections: [{ title: 'Pre-flight', markdown: table(['What', 'Is'], rows) }],
    }
  },
}

/** Go writes a lock file as soon as a module needs another, and not before. */
async function requiresModules(folder: string): Promise<boolean> {
  return /^\s*require\b/m.test(await readFile(join(folder, 'go.mod'), 'utf8').catch(() => 'require'))
}

function hasDependencies(manifest: Readonly<Record<string, unknown>> | null): boolean {
  return (
    manifest === null ||
    Object.keys({ ...(manifest.dependencies as object), ...(manifest.devDependencies as object) }).length > 0
  )
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(preflight, argv)

if (import.meta.main) await main(process.argv.slice(2))
