import { readdirSync } from 'node:fs'
import { findingsUnder } from '../kit/finding.ts'
import { type WorkStep, workProgram } from '../kit/work-program.ts'
import { gitText } from '../kit/worktree.ts'
import { code, table } from '../repo-checkup/report/markdown.ts'
import { type Finding, plural, showDay } from '../repo-checkup/result.ts'

const finding = findingsUnder('repository')

export interface RepositoryFacts {
  readonly empty: boolean
  readonly shallow: boolean
  readonly changed: number
  readonly branches: number
  readonly stale: readonly string[]
  readonly unpushed: number | null
  readonly worktrees: number
  readonly strayWorktrees: readonly string[]
  readonly lastCommitAt: number | null
  readonly intact: boolean | null
  readonly missing: readonly string[]
}

const quarter = 90 * 86_400

/** What a newcomer looks for, by names at the top and in the usual folders. */
const expected: readonly (readonly [string, RegExp])[] = [
  ['a README', /^readme(\.|$)/i],
  ['a licence', /^(licen[cs]e|copying|unlicense)/i],
  ['a .gitignore', /^\.gitignore$/],
  ['CI', /^(\.github|\.gitlab-ci\.yml|\.circleci|azure-pipelines\.yml|Jenkinsfile|\.ci|bitbucket-pipelines\.yml)$/],
]

export const repository: WorkStep<RepositoryFacts> = {
  name: 'repository',
  options: ['repo', 'commit'],
  async run({ options, signal, clock }) {
    const { repo = '.', commit = '' } = options
    const git = (...args: string[]) => gitText(repo, args, signal)
    const lines = (text: string | null) => (text === null || text === '' ? [] : text.split('\n'))
    const now = Math.floor(clock.now().getTime() / 1_000)
    const bare = (await git('rev-parse', '--is-bare-repository')) === 'true'
    const names =
      commit === ''
        ? bare
          ? []
          : readdirSync(repo)
        : ((await git('ls-tree', '-z', '--name-only', commit)) ?? '').split('\0')
    const heads = lines(await git('for-each-ref', '--format=%(committerdate:unix) %(refname:short)', 'refs/heads'))
    const stale = heads
      .filter((line) => now - Number(line.split(' ')[0]) > quarter)
      .map((line) => line.slice(line.indexOf(' ') + 1))
    const last = commit === '' ? null : Number(await git('log', '-1', '--format=%ct', commit))
    const stray = lines(await git('worktree', 'list', '--porcelain')).flatMap((line, at, all) =>
      line.startsWith('prunable') ? [all.slice(0, at).findLast((each) => each.startsWith('worktree ')) ?? ''] : [],
    )
    const check = commit === '' ? null : await git('fsck', '--connectivity-only', '--no-dangling', '--no-progress')
    const unpushed = await git('rev-list', '--count', '@{upstream}..HEAD')
    const facts: RepositoryFacts = {
      empty: commit === '',
      shallow: (await git('rev-parse', '--is-shallow-repository')) === 'true',
      changed: bare ? 0 : lines(await git('status', '--porcelain', '--ignore-submodules')).length,
      branches: heads.length,
      stale: stale.slice(0, 50),
      unpushed: unpushed === null ? null : Number(unpushed),
      worktrees: lines(await git('worktree', 'list')).length,
      strayWorktrees: stray.map((line) => line.replace('worktree ', '')).slice(0, 20),
      lastCommitAt: last,
      intact: commit === '' ? null : check !== null,
      missing: expected.filter(([, pattern]) => !names.some((name) => pattern.test(name))).map(([what]) => what),
    }
    return {
      facts,
      findings: findingsOf(facts, now),
      sections: [{ title: 'The repository', markdown: table(['What', 'Is'], rowsOf(facts)) }],
      limits: facts.shallow ? ['The clone is shallow: its history ends early.'] : [],
    }
  },
}

export function findingsOf(facts: RepositoryFacts, now: number): readonly Finding[] {
  const { intact, stale, strayWorktrees, missing, changed, lastCommitAt, empty, unpushed } = facts
  const all: (Finding | false)[] = [
    intact === false &&
      finding(
        'objects',
        95,
        'Objects of git are missing or damaged',
        'Parts of the history cannot be read any more.',
        'git fsck, then fetch from another clone.',
        [],
      ),
    empty &&
      finding(
        'empty',
        30,
        'The repository has no commits yet',
        'There is nothing to work on.',
        'Make a first commit.',
        [],
      ),
    strayWorktrees.length > 0 &&
      finding(
        'worktrees',
        35,
        `${plural(strayWorktrees.length, 'worktree')} registered whose folder is gone`,
        'Their branches cannot be checked out elsewhere.',
        'git worktree prune; `leanvibe doctor --fix` removes what crashes have left.',
        strayWorktrees,
      ),
    stale.length > 5 &&
      finding(
        'branches',
        25,
        `${plural(stale.length, 'branch', 'branches')} without a commit for 90 days`,
        'Nobody can tell what is still meant.',
        'Delete those that are merged: git branch --merged.',
        stale,
      ),
    changed > 0 &&
      finding(
        'changed',
        20,
        `${plural(changed, 'file')} changed and not committed`,
        'Agents work on commits: they do not see them.',
        'Commit or discard them.',
        [],
      ),
    (unpushed ?? 0) > 0 &&
      finding(
        'unpushed',
        20,
        `${plural(unpushed!, 'commit')} not pushed`,
        'They exist on this machine alone.',
        'git push',
        [],
      ),
    missing.length > 0 &&
      !empty &&
      finding(
        'missing',
        missing.includes('CI') ? 40 : 25,
        `Missing: ${missing.join(', ')}`,
        'People and agents who come to it new have to guess.',
        'Add them; short ones will do.',
        missing,
      ),
    lastCommitAt !== null &&
      now - lastCommitAt > 4 * quarter &&
      finding(
        'silent',
        25,
        'No commit for a year',
        'What it stands on has moved on since.',
        'Run its tests and the security audit before you build on it.',
        [showDay(lastCommitAt)],
      ),
  ]
  return all.filter((one): one is Finding => one !== false)
}

function rowsOf(facts: RepositoryFacts): string[][] {
  return [
    ['Objects', facts.intact === null ? 'none' : facts.intact ? 'connected' : '**damaged**'],
    ['Last commit', facts.lastCommitAt === null ? 'none' : showDay(facts.lastCommitAt)],
    ['Branches', `${facts.branches}, ${facts.stale.length} without a commit for 90 days`],
    ['Changed files', String(facts.changed)],
    ['Not pushed', facts.unpushed === null ? 'no upstream' : plural(facts.unpushed, 'commit')],
    ['Worktrees', `${facts.worktrees}, ${facts.strayWorktrees.length} gone`],
    ['Missing', facts.missing.length === 0 ? 'nothing' : facts.missing.map(code).join(', ')],
  ]
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(repository, argv)

if (import.meta.main) await main(process.argv.slice(2))
