import { defineErrors } from '../../foundation/kernel/errors.ts'

export const scalingErrors = defineErrors({
  'scaling-policy-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the values of a scaling policy contradict each other',
    next: 'correct the values that the message names',
  },
  'pool-not-scaled': {
    kind: 'not-found',
    retry: 'never',
    when: 'a pool has no scaling policy that could be explained or removed',
    next: 'list pools with `leanvibe pools list`; set one with `leanvibe pools policy NAME --strategy target_tracking`',
  },
})
