/**
 * Settings that no repository may override: they outrank every configuration file. They take away each way in which
 * configuration names a program to run, and what would change the form of the output.
 */
export const fixedConfig: readonly (readonly [key: string, value: string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.untrackedCache', 'keep'],
  ['core.sshCommand', 'ssh -oBatchMode=yes'],
  ['core.gitProxy', 'none'],
  ['core.alternateRefsCommand', 'true'],
  ['core.askPass', 'true'],
  ['core.editor', 'true'],
  ['core.pager', 'cat'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.commentChar', '#'],
  ['credential.helper', ''],
  ['credential.interactive', 'false'],
  ['gpg.program', 'false'],
  ['gpg.openpgp.program', 'false'],
  ['gpg.x509.program', 'false'],
  ['gpg.ssh.program', 'false'],
  ['gpg.ssh.defaultKeyCommand', 'false'],
  ['commit.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['push.gpgSign', 'false'],
  ['log.showSignature', 'false'],
  ['merge.verifySignatures', 'false'],
  ['gc.auto', '0'],
  ['gc.autoDetach', 'false'],
  ['maintenance.auto', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['push.recurseSubmodules', 'no'],
  ['status.submoduleSummary', 'false'],
  ['diff.ignoreSubmodules', 'all'],
  ['diff.external', 'false'],
  ['diff.noprefix', 'false'],
  ['diff.mnemonicPrefix', 'false'],
  ['diff.orderFile', '/dev/null'],
  ['blame.ignoreRevsFile', ''],
  ['color.ui', 'false'],
  ['color.branch', 'false'],
  ['color.diff', 'false'],
  ['color.grep', 'false'],
  ['color.status', 'false'],
  ['column.ui', 'never'],
  ['i18n.logOutputEncoding', 'UTF-8'],
  ['i18n.commitEncoding', 'UTF-8'],
  ['log.follow', 'false'],
  ['log.mailmap', 'true'],
  ['advice.detachedHead', 'false'],
  ['worktree.guessRemote', 'false'],
  // Ownership is no guard here: configuration of strangers is disarmed whoever owns the files.
  ['safe.directory', '*'],
]

/** Where git is looked for when the host's own search path is not given. */
export const defaultSearchPath = [
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
  '/run/current-system/sw/bin',
].join(':')

/** Relative entries would let a repository bring its own `git`. */
export function absoluteEntries(searchPath: string): string {
  return searchPath
    .split(':')
    .filter((entry) => entry.startsWith('/'))
    .join(':')
}

/** Variables that a caller may set for one command. */
const callerVariables = new Set([
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_AUTHOR_DATE',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
  'GIT_COMMITTER_DATE',
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
])

/** The complete environment of one git process; nothing of ours is inherited. */
export function gitEnvironment(options: {
  readonly searchPath: string
  readonly protocols: readonly string[]
  readonly config: readonly (readonly [string, string])[]
  readonly variables: Readonly<Record<string, string>>
}): Record<string, string> {
  const environment: Record<string, string> = {
    PATH: absoluteEntries(options.searchPath),
    HOME: '/nonexistent',
    XDG_CONFIG_HOME: '/nonexistent',
    LC_ALL: 'C',
    TZ: 'UTC',
    TERM: 'dumb',
    PAGER: 'cat',
    GIT_PAGER: 'cat',
    GIT_EDITOR: 'true',
    GIT_SEQUENCE_EDITOR: 'true',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    SSH_ASKPASS_REQUIRE: 'never',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TEMPLATE_DIR: '',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_ALLOW_PROTOCOL: options.protocols.join(':'),
  }
  for (const [name, value] of Object.entries(options.variables)) {
    if (!callerVariables.has(name)) throw new Error(`${name} is not a variable that a caller of git may set`)
    environment[name] = value
  }
  environment.GIT_CONFIG_COUNT = String(options.config.length)
  options.config.forEach(([key, value], index) => {
    environment[`GIT_CONFIG_KEY_${index}`] = key
    environment[`GIT_CONFIG_VALUE_${index}`] = value
  })
  return environment
}
