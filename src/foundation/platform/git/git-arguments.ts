import { gitErrors } from './git-errors.ts'

interface SafeCommand {
  /** Flags put right after the command's name. */
  readonly flags: readonly string[]
  /**
   * The command may run filter, merge or diff drivers, which configuration names freely: the repository's own
   * configuration is read first and each driver is overridden. False for commands that only read or write objects and refs.
   */
  readonly drivers: boolean
}

const objects: SafeCommand = { flags: [], drivers: false }
const drivers: SafeCommand = { flags: [], drivers: true }
const showing: SafeCommand = { flags: ['--no-ext-diff', '--no-textconv'], drivers: false }
const workTreeDiff: SafeCommand = {
  flags: ['--no-ext-diff', '--no-textconv', '--ignore-submodules=all'],
  drivers: true,
}

/** Every git command that this product uses. What is not here is refused. */
const safeCommands: Readonly<Record<string, SafeCommand>> = {
  add: drivers,
  apply: drivers,
  blame: { flags: ['--no-textconv'], drivers: true },
  branch: objects,
  'cat-file': objects,
  'check-ref-format': objects,
  checkout: { flags: ['--no-recurse-submodules'], drivers: true },
  'checkout-index': drivers,
  'check-attr': objects,
  'cherry-pick': { flags: ['--no-gpg-sign'], drivers: true },
  clean: objects,
  clone: { flags: ['--no-recurse-submodules', '--upload-pack=git-upload-pack'], drivers: true },
  commit: { flags: ['--no-verify', '--no-gpg-sign'], drivers: true },
  'commit-tree': { flags: ['--no-gpg-sign'], drivers: false },
  config: { flags: ['--get'], drivers: false },
  'count-objects': objects,
  diff: workTreeDiff,
  'diff-files': workTreeDiff,
  'diff-index': workTreeDiff,
  'diff-tree': showing,
  fetch: { flags: ['--no-recurse-submodules', '--upload-pack=git-upload-pack'], drivers: false },
  'for-each-ref': objects,
  fsck: objects,
  grep: { flags: ['--no-textconv'], drivers: true },
  'hash-object': { flags: ['--no-filters'], drivers: false },
  'index-pack': objects,
  init: { flags: ['--template='], drivers: false },
  log: { ...showing, flags: ['--no-show-signature', ...showing.flags] },
  'ls-files': drivers,
  'ls-remote': { flags: ['--upload-pack=git-upload-pack'], drivers: false },
  'ls-tree': objects,
  merge: { flags: ['--no-verify', '--no-gpg-sign'], drivers: true },
  'merge-base': objects,
  'merge-tree': drivers,
  mktree: objects,
  'name-rev': objects,
  'pack-objects': objects,
  'pack-refs': objects,
  'read-tree': { flags: ['--no-recurse-submodules'], drivers: true },
  reset: { flags: ['--no-recurse-submodules'], drivers: true },
  'rev-list': objects,
  'rev-parse': objects,
  shortlog: objects,
  show: { ...showing, flags: ['--no-show-signature', ...showing.flags] },
  'show-ref': objects,
  status: { flags: ['--ignore-submodules=all'], drivers: true },
  'symbolic-ref': objects,
  tag: objects,
  'update-index': drivers,
  'update-ref': objects,
  version: objects,
  worktree: drivers,
  // Writing the index looks once more at files that changed in the second in which it was written.
  'write-tree': drivers,
}

/** Options that run a program or write where git was not asked to. */
const refusedOptions =
  /^--(?:upload-pack|receive-pack|exec|exec-path|ext-diff|textconv|filters|output|output-directory|open-files-in-pager|config-env|git-dir|work-tree|namespace|template|show-signature|gpg-sign)(?:=|$)/

/**
 * Checks a command line and puts the safe flags in.
 * @throws git-refused for a command or option that the tables do not allow
 */
export function safeArguments(args: readonly string[]): { args: string[]; drivers: boolean } {
  const [name = '', ...rest] = args
  const command = Object.hasOwn(safeCommands, name) ? safeCommands[name] : undefined
  if (command === undefined) throw gitErrors['git-refused'](`git ${name} is not among the commands that may be run`)
  for (const argument of rest) {
    if (argument === '--') break
    if (refusedOptions.test(argument)) throw gitErrors['git-refused'](`git ${name} may not be given ${argument}`)
  }
  // Listing worktrees touches no file in any of them.
  const drivers = command.drivers && !(name === 'worktree' && rest[0] === 'list')
  return { args: ['--no-pager', '--literal-pathspecs', name, ...command.flags, ...rest], drivers }
}
