import { defineErrors } from '../../foundation/kernel/errors.ts'

export const proofErrors = defineErrors({
  'proof-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'a proof of work is asked of a task that there is not',
    next: 'list the tasks with `leanvibe runs show RUN`',
  },
})
