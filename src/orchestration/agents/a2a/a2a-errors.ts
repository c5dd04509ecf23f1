import { defineErrors } from '../../../foundation/kernel/errors.ts'

/** What is wrong with remote agents before anything is asked of them. */
export const a2aErrors = defineErrors({
  'agent-card-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the card of a remote agent is no card of a version that is spoken here, or does not say what was expected of it',
    next: 'look at the card at its URL; an agent that lives at another origin than its card is named in `origins` of the pool',
  },
  'a2a-url-refused': {
    kind: 'input',
    retry: 'never',
    when: 'the address of a remote agent is none that may be spoken to: not https, or not public',
    next: 'use a public https URL, or name the network in `a2a.allow` of leanvibe.yaml',
  },
  'a2a-address-refused': {
    kind: 'forbidden',
    retry: 'never',
    when: 'the host of a remote agent is at an address that may not be spoken to',
    next: 'name the network in `a2a.allow` of leanvibe.yaml if it is one of yours',
  },
})
