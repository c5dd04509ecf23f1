import { defineErrors } from '../../foundation/kernel/errors.ts'

export const coordinatorErrors = defineErrors({
  'budget-contended': {
    kind: 'conflict',
    retry: 'now',
    when: 'a budget was taken by another process between the decision and its writing; the decision is made again',
    next: 'nothing: it is retried',
  },
  'runner-unknown': {
    kind: 'not-found',
    retry: 'never',
    when: 'a runner exchanges work without having registered, or after it was given up for dead',
    next: 'register again and report what is still held',
  },
})
