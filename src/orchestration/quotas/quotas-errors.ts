import { defineErrors } from '../../foundation/kernel/errors.ts'

export const quotaErrors = defineErrors({
  'quota-unknown': {
    kind: 'not-found',
    retry: 'never',
    when: 'a call names a provider account that this tenant does not have',
    next: 'list the accounts with `leanvibe quotas list`, or add one with `leanvibe quotas set`',
  },
  'quota-closed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a call waits for an account in a process that is ending',
    next: 'ask another replica, or again after the restart',
  },
})
