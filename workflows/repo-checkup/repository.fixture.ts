import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/foundation/kernel/clock.ts'
import { runStep, type Step } from './program.ts'
import type { StepResult } from './result.ts'

/** 1 January 2026, 00:00 UTC. */
export const newYear = 1_767_225_600
export const day = 86_400

export interface CommitOptions {
  readonly author?: string
  /** Days before `newYear`. Default 0. */
  readonly daysAgo?: number
  readonly message?: string
}

/** A real repository in a folder of its own, made by real git with fixed dates and names. */
export interface TestRepository extends Disposable {
  readonly path: string
  /** Raw git in the repository. `input` is given on standard input. */
  git(args: readonly string[], options?: CommitOptions & { readonly input?: string | Buffer }): string
  /** Writes files (null removes one) and commits them all. Returns the commit. */
  commit(files: Readonly<Record<string, string | Buffer | null>>, options?: CommitOptions): string
  link(path: string, target: string): void
}

export function createRepository(name = 'subject', initArgs: readonly string[] = []): TestRepository {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'checkup-test-')))
  const path = join(root, name)
  mkdirSync(path)
  const git: TestRepository['git'] = (args, options = {}) => {
    const author = options.author ?? 'Ann Author'
    const at = `${newYear - (options.daysAgo ?? 0) * day} +0000`
    const email = `${author.toLowerCase().replace(/[^a-z0-9]+/g, '.')}@example.com`
    return execFileSync('git', ['-c', 'core.quotePath=false', ...args], {
      cwd: path,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      ...(options.input === undefined ? {} : { input: options.input }),
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: root,
        LC_ALL: 'C',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_AUTHOR_NAME: author,
        GIT_AUTHOR_EMAIL: email,
        GIT_AUTHOR_DATE: at,
        GIT_COMMITTER_NAME: author,
        GIT_COMMITTER_EMAIL: email,
        GIT_COMMITTER_DATE: at,
      },
    }).trim()
  }
  git(['init', '-q', '-b', 'main', ...initArgs])
  return {
    path,
    git,
    commit(files, options = {}) {
      for (const [file, content] of Object.entries(files)) {
        if (content === null) rmSync(join(path, file))
        else {
          mkdirSync(dirname(join(path, file)), { recursive: true })
          writeFileSync(join(path, file), content)
        }
      }
      git(['add', '-A'])
      git(['commit', '-q', '--allow-empty', '-m', options.message ?? 'a change'], options)
      return git(['rev-parse', 'HEAD'])
    },
    link: (file, target) => symlinkSync(target, join(path, file)),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/** Runs a step as its program does, without the process. */
export async function checkStep<Facts>(step: Step<Facts>, path: string, ...args: string[]): Promise<StepResult<Facts>> {
  return runStep(step, ['--repo', path, ...args], {
    clock: systemClock,
    signal: new AbortController().signal,
    stderr: () => {},
  })
}

/** Lines of code that are all different and look like nothing else. */
export function codeLines(count: number, seed = ''): string {
  return Array.from({ length: count }, (_, at) => `const value${seed}${at} = compute(${at}, '${seed}')\n`).join('')
}

/** A token of a known shape, put together so that this file holds none. */
export function fakeToken(kind: 'github' | 'aws' | 'stripe' | 'npm'): string {
  const random = 'q7Zk2Vw9Rt4Yx8Lm3Np6Bc1Df5Gh0JsKdWeQ'
  const shapes = {
    github: ['ghp', random],
    aws: ['AK', 'IAQ3Z7W2RT4YX6LMNP'],
    stripe: ['sk', 'live', random],
    npm: ['npm', random],
  }
  return shapes[kind].join(kind === 'aws' ? '' : '_')
}

/** Bytes that do not compress, the same each time. */
export function noise(length: number): Buffer {
  let state = 0x2545f491
  return Buffer.from(
    Array.from({ length }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state & 0xff
    }),
  )
}
