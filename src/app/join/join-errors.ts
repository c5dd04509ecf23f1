import { defineErrors } from '../../foundation/kernel/errors.ts'

export const joinErrors = defineErrors({
  'join-refused': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a server that a runner has joined does not take its key any more, or does not know the runner',
    next: 'give a key that may `runners:write` and `artifacts:write`, and start the runner again; results wait in its data folder meanwhile',
  },
})
