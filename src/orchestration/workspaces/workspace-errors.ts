import { defineErrors } from '../../foundation/kernel/errors.ts'

export const workspaceErrors = defineErrors({
  'workspace-impossible': {
    kind: 'input',
    retry: 'never',
    when: 'a step asks for a worktree, but the run has no repository, or the repository has no commit yet',
    next: 'start the run with --repo on a repository that has a commit, or take `workspace: worktree` out of the step',
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
