import { defineErrors } from '../../foundation/kernel/errors.ts'

export const livenessErrors = defineErrors({
  'finding-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no finding of this tenant has the id',
    next: 'list them with `leanvibe liveness list`',
  },
  'finding-answered': {
    kind: 'conflict',
    retry: 'never',
    when: 'a finding is answered that waits for no answer',
    next: 'look at it with `leanvibe liveness list`; steer its runs with `leanvibe runs pause|resume|cancel`',
  },
})
