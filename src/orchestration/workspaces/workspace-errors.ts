import { defineErrors } from '../../foundation/kernel/errors.ts'

export const workspaceErrors = defineErrors({
  'workspace-impossible': {
    kind: 'input',
    retry: 'never',
    when: 'a step asks for a worktree, but the run has no repository, or the repository has no commit yet',
    next: 'start the run with --repo on a repository that has a commit, or take `workspace: worktree` out of the step',
  },
  'repository-elsewhere': {
    kind: 'input',
    retry: 'later',
    when: 'a step that works on a repository, or merges into it, came to a machine where its path does not exist',
    next: 'let the runner there join by the address of a server (`leanvibe work --join https://HOST`): repositories come over to it, and merges stay where they are; or put the repository at the same path there, or keep its agents away by `pool`, labels or `leanvibe agents cordon`',
  },
  'workspace-failed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the working folder of a task cannot be made, committed or removed',
    next: 'look at the cause (a full disk, a damaged repository); `leanvibe doctor` lists what was left over',
  },
  'workspace-busy': {
    kind: 'conflict',
    retry: 'later',
    when: 'a working folder is to be removed while processes of its task are not proven dead',
    next: 'end the processes that the message names; `leanvibe doctor` tries again',
  },
})
