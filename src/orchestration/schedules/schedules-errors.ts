import { defineErrors } from '../../foundation/kernel/errors.ts'

export const scheduleErrors = defineErrors({
  'schedule-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a schedule names no workflow, or two',
    next: 'give exactly one of workflow and source',
  },
  'schedule-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no schedule of this tenant has the name',
    next: 'list them with `leanvibe schedules list`',
  },
  'schedule-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a schedule is created under a name that is taken',
    next: 'choose another name, or delete the former one: `leanvibe schedules delete NAME`',
  },
  'schedule-repo-unusable': {
    kind: 'input',
    retry: 'later',
    when: 'the repository of a schedule could not be looked up when a slot was due',
    next: 'see that the folder is a git repository with a commit; `leanvibe schedules list` shows the slot',
  },
})
