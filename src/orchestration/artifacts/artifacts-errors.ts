import { defineErrors } from '../../foundation/kernel/errors.ts'

export const artifactErrors = defineErrors({
  'artifact-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no artifact of this tenant has the id',
    next: 'list those of a run with `leanvibe runs show RUN`',
  },
  'artifact-damaged': {
    kind: 'internal',
    retry: 'never',
    when: 'the content of an artifact is not the one that its task handed in',
    next: 'restore the blob store from a backup, or repeat the step with `leanvibe runs retry RUN --from STEP`',
  },
})
