import { defineErrors } from '../../foundation/kernel/errors.ts'

export const joinErrors = defineErrors({
  'joined-server-too-old': {
    kind: 'input',
    retry: 'never',
    when: 'a runner joins a server that is too old for it, or for agents of a kind that it has: those that keep something at the server',
    next: 'bring the program of the server up to date first; or take pools of the kinds `http` and `llm` out of the leanvibe.yaml of the runner',
  },
  'join-refused': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a server that a runner has joined does not take its key any more, or does not know the runner',
    next: 'give a key that may `runners:write` and `artifacts:write`, and start the runner again; results wait in its data folder meanwhile',
  },
})
