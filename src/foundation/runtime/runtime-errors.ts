import { defineErrors } from '../kernel/errors.ts'

export const runtimeErrors = defineErrors({
  'cursor-reset': {
    kind: 'conflict',
    status: 410,
    retry: 'never',
    when: 'a cursor points at a part of the event log that is no longer kept, or at another epoch of it',
    next: 'resume from the cursor in `details.resume` and treat what lies between as unseen',
  },
  'cursor-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a cursor is not of the form epoch.tick.seq',
    next: 'pass a cursor exactly as an event carried it',
  },
})
