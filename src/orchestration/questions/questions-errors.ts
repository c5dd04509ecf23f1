import { defineErrors } from '../../foundation/kernel/errors.ts'

export const questionErrors = defineErrors({
  'question-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no question of this tenant has the id',
    next: 'list them with `leanvibe approvals list`',
  },
  'question-closed': {
    kind: 'conflict',
    retry: 'never',
    when: 'somebody answers a question that was answered before, whose deadline has passed, or for whose answer nobody waits',
    next: 'see what became of the run with `leanvibe runs show`',
  },
  'question-not-yours': {
    kind: 'forbidden',
    retry: 'never',
    when: 'somebody answers a question of an agent that is put to others',
    next: 'ask one of those whom the message names',
  },
  'answer-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'an answer is none of the choices, or is in free words where the question takes none',
    next: 'answer with one of the choices that `leanvibe approvals list` shows',
  },
})
