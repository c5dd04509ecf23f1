import { defineErrors } from '../../foundation/kernel/errors.ts'

export const mergeErrors = defineErrors({
  'merge-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no merge of this tenant has the id',
    next: 'list them with `leanvibe merges list`',
  },
  'merge-conflict': {
    kind: 'conflict',
    retry: 'never',
    when: 'a commit and the branch it is to be merged into change the same lines',
    next: 'give the step `onConflict: hand-back` and a next step that solves it, or merge the commit by hand; `leanvibe merges show` lists the files',
  },
  'merge-refused': {
    kind: 'conflict',
    retry: 'never',
    when: 'what the branch would become does not pass the checks of the merge step',
    next: 'read the evidence with `leanvibe artifacts list RUN`, repair the work, and merge again',
  },
  'merge-target-missing': {
    kind: 'input',
    retry: 'never',
    when: 'the branch that a step merges into, or the commit that it brings in, does not exist',
    next: 'name an existing branch in `into`, or make it: git branch NAME',
  },
  'merge-target-dirty': {
    kind: 'conflict',
    retry: 'later',
    when: 'the branch is checked out somewhere, and files that the merge changes were edited there, or would have to be filtered',
    next: 'commit or stash them there, or let the step merge into another branch (`into`)',
  },
  'merge-target-moving': {
    kind: 'conflict',
    retry: 'later',
    when: 'others moved the branch each time a result had been tested',
    next: 'try again when fewer push to the branch, or let them use the merge queue, too',
  },
  'merge-superseded': {
    kind: 'conflict',
    retry: 'never',
    when: 'a runner that had lost its lease was about to move a branch',
    next: 'nothing: the branch was not touched, and another attempt does the merge',
  },
})
