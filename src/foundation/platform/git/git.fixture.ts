import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Plain git, as a stranger would use it to prepare a repository. For tests alone. */
export function rawGit(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd,
    encoding: 'utf8',
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Ann',
      GIT_AUTHOR_EMAIL: 'ann@example.test',
      GIT_COMMITTER_NAME: 'Ann',
      GIT_COMMITTER_EMAIL: 'ann@example.test',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).replace(/\n$/, '')
}

/** A folder of its own, removed by `remove`. */
export function temporaryFolder(name: string): { readonly path: string; remove(): void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `leanvibe-${name}-`)))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** A repository at `path` whose one commit holds `files`. */
export function makeRepository(path: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(path, { recursive: true })
  rawGit(path, 'init', '--quiet', '--initial-branch=main')
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true })
    writeFileSync(join(path, name), content)
  }
  rawGit(path, 'add', '--all')
  rawGit(path, 'commit', '--quiet', '--allow-empty', '--message=first')
  return rawGit(path, 'rev-parse', 'HEAD')
}

/** Traps: programs that a hostile repository names in every way git knows; each writes its name to a file when it is run. */
export interface Traps {
  /** Names of the traps that were run since the last call. */
  sprung(): string[]
}

const hookNames = [
  'post-checkout',
  'pre-commit',
  'prepare-commit-msg',
  'commit-msg',
  'post-commit',
  'post-merge',
  'pre-merge-commit',
  'reference-transaction',
  'post-index-change',
  'post-rewrite',
  'pre-auto-gc',
  'fsmonitor-watchman',
]

export function plantTraps(repository: string, folder: string): Traps {
  const record = join(folder, 'sprung')
  const trap = (name: string) => {
    const file = join(folder, `trap-${name}`)
    writeFileSync(file, `#!/bin/sh\necho ${name} >> '${record}'\ncat 2>/dev/null\nexit 0\n`)
    chmodSync(file, 0o755)
    return file
  }
  for (const name of hookNames) {
    const hook = join(repository, '.git', 'hooks', name)
    mkdirSync(join(hook, '..'), { recursive: true })
    writeFileSync(hook, `#!/bin/sh\necho hook-${name} >> '${record}'\nexit 0\n`)
    chmodSync(hook, 0o755)
  }
  const settings: [string, string][] = [
    ['core.fsmonitor', trap('fsmonitor')],
    ['core.sshCommand', trap('ssh-command')],
    ['core.pager', trap('pager')],
    ['core.editor', trap('editor')],
    ['core.askPass', trap('ask-pass')],
    ['core.gitProxy', trap('git-proxy')],
    ['core.alternateRefsCommand', trap('alternate-refs')],
    ['diff.external', trap('diff-external')],
    ['credential.helper', trap('credential-helper')],
    ['credential.https://example.test.helper', trap('credential-url-helper')],
    ['filter.planted.clean', trap('filter-clean')],
    ['filter.planted.smudge', trap('filter-smudge')],
    ['filter.planted.required', 'true'],
    ['filter.long.process', trap('filter-process')],
    ['filter.long.required', 'true'],
    ['filter.odd=name.dotted.clean', trap('filter-odd-clean')],
    ['filter.odd=name.dotted.smudge', trap('filter-odd-smudge')],
    ['diff.planted.textconv', trap('textconv')],
    ['diff.planted.command', trap('diff-command')],
    ['merge.planted.driver', trap('merge-driver')],
    ['gpg.program', trap('gpg')],
    ['log.showSignature', 'true'],
    ['commit.gpgSign', 'true'],
    ['alias.status', `!${trap('alias-status')}`],
    ['alias.log', `!${trap('alias-log')}`],
    ['pager.log', trap('pager-log')],
    ['sequence.editor', trap('sequence-editor')],
    ['interactive.diffFilter', trap('diff-filter')],
    ['gc.auto', '1'],
    ['remote.origin.url', 'https://example.test/x.git'],
    ['remote.origin.uploadpack', trap('uploadpack')],
    ['extensions.worktreeConfig', 'true'],
    ['core.repositoryFormatVersion', '1'],
    ['hook.planted.command', trap('config-hook')],
    ['hook.planted.event', 'post-checkout'],
  ]
  const included = join(folder, 'included-config')
  writeFileSync(
    included,
    `[filter "included"]\n\tsmudge = ${trap('included-smudge')}\n\tclean = ${trap('included-clean')}\n`,
  )
  settings.push(['include.path', included])
  // Holds only where the git folder is that of a linked worktree.
  const conditional = join(folder, 'conditional-config')
  writeFileSync(
    conditional,
    `[filter "conditional"]\n\tsmudge = ${trap('conditional-smudge')}\n\tclean = ${trap('conditional-clean')}\n`,
  )
  settings.push([`includeIf.gitdir:${join(repository, '.git', 'worktrees')}/**.path`, conditional])
  appendFileSync(join(repository, '.git', 'config'), settings.map(configLine).join(''))
  mkdirSync(join(repository, '.git', 'info'), { recursive: true })
  writeFileSync(join(repository, '.git', 'info', 'attributes'), '*.info filter=planted diff=planted merge=planted\n')
  return {
    sprung() {
      if (!existsSync(record)) return []
      const names = readFileSync(record, 'utf8').trim().split('\n')
      rmSync(record)
      return [...new Set(names)]
    },
  }
}

/** Files and attributes that lead to the planted drivers. */
export const trappedFiles: Readonly<Record<string, string>> = {
  '.gitattributes': [
    '*.planted filter=planted diff=planted merge=planted',
    '*.long filter=long',
    '*.odd filter=odd=name.dotted',
    '*.included filter=included',
    '*.conditional filter=conditional',
    '',
  ].join('\n'),
  'a.planted': 'one\n',
  'b.long': 'two\n',
  'c.odd': 'three\n',
  'd.included': 'four\n',
  'e.info': 'five\n',
  'f.conditional': 'six\n',
  'plain.txt': 'seven\n',
}

function configLine([key, value]: readonly [string, string]): string {
  const section = key.slice(0, key.indexOf('.'))
  const name = key.slice(key.lastIndexOf('.') + 1)
  const subsection = key.slice(section.length + 1, Math.max(section.length + 1, key.length - name.length - 1))
  const quote = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  return `[${section}${subsection === '' ? '' : ` ${quote(subsection)}`}]\n\t${name} = ${quote(value)}\n`
}
