import { defineErrors } from '../../foundation/kernel/errors.ts'

export const agentErrors = defineErrors({
  'agent-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no agent of this tenant has the id',
    next: 'list them with `leanvibe agents list`',
  },
  'pool-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no pool of this tenant has the name',
    next: 'list them with `leanvibe pools list`; pools are made in leanvibe.yaml, or by a runner that joins',
  },
})
