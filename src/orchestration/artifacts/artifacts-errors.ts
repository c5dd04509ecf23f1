import { defineErrors } from '../../foundation/kernel/errors.ts'

export const artifactErrors = defineErrors({
  'artifact-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no artifact of this tenant has the id',
    next: 'list those of a run with `leanvibe runs show RUN`',
  },
})
