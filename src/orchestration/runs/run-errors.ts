import { defineErrors } from '../../foundation/kernel/errors.ts'

export const runErrors = defineErrors({
  'run-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no run of this tenant has the id',
    next: 'list the runs with `leanvibe runs`',
  },
  'run-not-ended': {
    kind: 'conflict',
    retry: 'later',
    when: 'a run is retried while it is still under way',
    next: 'wait for its end or cancel it first',
  },
  'task-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'a run has no task with the id, or at the place that was named',
    next: 'list its tasks with `leanvibe runs show`; a place is `step` or `step[3]`',
  },
  'item-not-alone': {
    kind: 'conflict',
    retry: 'later',
    when: 'one item of a map is to be repeated, and the new run waits for its turn or its map has other items now',
    next: 'try again when other runs of the workflow have ended, or repeat the step with `leanvibe runs retry RUN --from STEP`',
  },
  'step-unknown': {
    kind: 'input',
    retry: 'never',
    when: 'a run is repeated from a step its workflow does not have',
    next: 'name one of the steps that `leanvibe runs show` lists',
  },
  'calls-too-deep': {
    kind: 'limit',
    retry: 'never',
    when: 'a run is started by a run that was started by a run, and so on, more often than is allowed',
    next: 'look for workflows that call each other in a circle',
  },
  'start-ambiguous': {
    kind: 'input',
    retry: 'never',
    when: 'a run is started with both or neither of `workflow` and `source`',
    next: 'give exactly one of them',
  },
})
