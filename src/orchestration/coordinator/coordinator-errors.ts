import { defineErrors } from '../../foundation/kernel/errors.ts'

export const coordinatorErrors = defineErrors({
  'budget-contended': {
    kind: 'conflict',
    retry: 'now',
    when: 'a budget was taken by another process between the decision and its writing; the decision is made again',
    next: 'nothing: it is retried',
  },
  'slots-contended': {
    kind: 'conflict',
    retry: 'now',
    when: "an agent's slots were taken by another process between the decision and its writing; the decision is made again",
    next: 'nothing: it is retried',
  },
  'runner-unknown': {
    kind: 'not-found',
    retry: 'later',
    when: 'a runner exchanges work that was never registered, or was forgotten long after it had been given up for dead',
    next: 'start it again, so that it registers',
  },
})
