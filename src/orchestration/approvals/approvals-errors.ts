import { defineErrors } from '../../foundation/kernel/errors.ts'

export const approvalErrors = defineErrors({
  'approval-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no approval of this tenant has the id',
    next: 'list them with `leanvibe approvals list`',
  },
  'approval-not-yours': {
    kind: 'forbidden',
    retry: 'never',
    when: 'somebody answers an approval that names others',
    next: 'ask one of those whom the message names',
  },
})
