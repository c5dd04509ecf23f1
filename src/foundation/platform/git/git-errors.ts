import { defineErrors } from '../../kernel/errors.ts'

export const gitErrors = defineErrors({
  'git-missing': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the program git is not found on the search path, or is too old to be used safely',
    next: 'install git 2.32 or newer (Debian and Ubuntu: apt install git; macOS: xcode-select --install) and try again',
  },
  'not-a-repository': {
    kind: 'input',
    retry: 'never',
    when: 'a path that should be a git repository is none',
    next: 'give the path of a git repository (for example with --repo), or make one with git init and a first commit',
  },
  'git-failed': {
    kind: 'internal',
    retry: 'later',
    when: 'git ended with an error; the message holds what it said',
    next: 'read what git said; `git fsck` in the repository shows whether it is damaged',
  },
  'git-timeout': {
    kind: 'unavailable',
    retry: 'later',
    when: 'git took longer than the caller allows and was ended',
    next: 'try again when the machine is less busy, or raise the timeout of the step',
  },
  'git-output-too-large': {
    kind: 'limit',
    retry: 'never',
    when: 'git printed more than the caller allows',
    next: 'narrow what is asked of the repository',
  },
  'git-refused': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a git command or option outside the list of safe ones was asked for, or a repository carries too much planted configuration',
    next: 'add the command to the table in git-arguments.ts with its safe flags, or look at `git config --list` of the repository',
  },
})
