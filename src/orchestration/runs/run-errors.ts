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
