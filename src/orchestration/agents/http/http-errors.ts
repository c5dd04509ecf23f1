import { defineErrors } from '../../../foundation/kernel/errors.ts'

export const httpAgentErrors = defineErrors({
  'agent-address-refused': {
    kind: 'forbidden',
    retry: 'never',
    when: 'an agent is a service at an address that may not be spoken to: a private one, or one without TLS',
    next: 'name its network in `http.allow` of the pool, such as 127.0.0.1/32, if it is yours',
  },
  'agent-expression': {
    kind: 'input',
    retry: 'never',
    when: 'an expression in the settings of a service cannot be read, or does not fit what the service answered',
    next: 'correct it in `http` of the pool; `answer` is what the service said first, `status` what it said when it was asked again',
  },
  'callback-unknown': {
    kind: 'not-found',
    retry: 'never',
    when: 'a service tells something at an address that was never given to it, or that is long forgotten',
    next: 'use the `callback.url` of the request as it is',
  },
  'callback-closed': {
    kind: 'conflict',
    retry: 'never',
    when: 'a service tells something of an attempt that is lost, cancelled or over: nobody waits for it any more',
    next: 'stop the work: the detail says what became of the attempt',
  },
  'callback-flood': {
    kind: 'limit',
    retry: 'later',
    when: 'a service tells more than can be taken in',
    next: 'tell less often; a note every few seconds is enough',
  },
})
