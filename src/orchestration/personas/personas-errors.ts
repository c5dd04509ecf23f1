import { defineErrors } from '../../foundation/kernel/errors.ts'

export const personaErrors = defineErrors({
  'persona-unknown': {
    kind: 'input',
    retry: 'never',
    when: 'a step names a persona that neither the project nor the package has',
    next: 'See `leanvibe personas list`, or write personas/NAME.md in the project.',
  },
  'persona-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the file of a persona cannot be read: its settings are missing, unknown or of the wrong kind',
    next: 'Correct the file at the place that is named; `leanvibe personas show NAME` checks it again.',
  },
})
