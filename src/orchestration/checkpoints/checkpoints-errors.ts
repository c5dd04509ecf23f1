import { defineErrors } from '../../foundation/kernel/errors.ts'

export const checkpointErrors = defineErrors({
  'checkpoint-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no checkpoint of this tenant has the id or name',
    next: 'list them with `leanvibe checkpoint --list`',
  },
  'checkpoint-name-taken': {
    kind: 'conflict',
    retry: 'never',
    when: 'a checkpoint is made under a name that another has',
    next: 'choose another name',
  },
  'checkpoint-no-run': {
    kind: 'not-found',
    retry: 'never',
    when: 'a checkpoint is made without naming a run, and none is under way',
    next: 'pass --run RUN',
  },
})
