import { mkdir } from 'node:fs/promises'
import { defineErrors } from '../../src/foundation/kernel/errors.ts'
import { lastLines, runCommand } from './run-command.ts'

export const worktreeErrors = defineErrors({
  'kit-no-checkout': {
    kind: 'input',
    retry: 'never',
    when: 'a commit that a built-in workflow is to look at cannot be laid out in a folder',
    next: 'Give a commit or branch that `git rev-parse` knows; in a shallow clone fetch it first.',
  },
})

const minute = 60_000
/** Nothing of the repository's own settings runs: no hooks, no filters, no prompts. */
const quiet = [
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.fsmonitor=false',
  '-c',
  'advice.detachedHead=false',
  '-c',
  'filter.lfs.smudge=',
  '-c',
  'filter.lfs.process=',
  '-c',
  'filter.lfs.required=false',
]
const env = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_OPTIONAL_LOCKS: '0',
}

/** Lays a commit out in a new folder that has nothing to do with the repository afterwards. */
export async function checkOut(repo: string, commit: string, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true })
  const steps = [
    ['git', ...quiet, 'init', '-q', '-b', 'main', '.'],
    ['git', ...quiet, 'fetch', '-q', '--no-tags', '--depth=1', '--update-shallow', repo, commit],
    ['git', ...quiet, 'checkout', '-q', 'FETCH_HEAD'],
  ]
  for (const argv of steps) {
    const extra = {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'uploadpack.allowAnySHA1InWant',
      GIT_CONFIG_VALUE_0: 'true',
    }
    const end = await runCommand(argv, { cwd: folder, signal, timeoutMs: 5 * minute, env: { ...env, ...extra } })
    if (end.exitCode !== 0) {
      const why = end.error ?? lastLines(end.output, 2, 300).replaceAll('\n', ' / ')
      throw worktreeErrors['kit-no-checkout'](`${commit.slice(0, 80)} of ${repo} cannot be laid out: ${why}`)
    }
  }
}

/** The commit before; null for a first one, and where a shallow clone ends. */
export async function parentOf(repo: string, commit: string, signal: AbortSignal): Promise<string | null> {
  const found = await gitText(repo, ['rev-parse', '-q', '--verify', `${commit}^{commit}^`], signal)
  return found === null || found === '' ? null : found
}

/** What a git command prints; null where it fails. */
export async function gitText(repo: string, args: readonly string[], signal: AbortSignal): Promise<string | null> {
  const end = await runCommand(['git', ...quiet, '-C', repo, ...args], { cwd: '/', signal, timeoutMs: minute, env })
  return end.exitCode === 0 ? end.output.trimEnd() : null
}
