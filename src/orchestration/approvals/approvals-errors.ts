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
  'approval-own-run': {
    kind: 'forbidden',
    retry: 'never',
    when: 'whoever started a run answers an approval of it that somebody else has to give',
    next: 'ask somebody else who may approve',
  },
  'approval-answered': {
    kind: 'conflict',
    retry: 'never',
    when: 'somebody answers a second time what several people have to approve',
    next: 'wait for the others; `leanvibe approvals show` tells who has answered',
  },
  'approval-answer-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'an answer is none of the choices on offer, or lacks one where one has to be made',
    next: 'see the choices with `leanvibe approvals show`, then `leanvibe approvals answer ID --choice CHOICE`',
  },
})
