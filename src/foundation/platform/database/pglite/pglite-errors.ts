import { defineErrors } from '../../../kernel/errors.ts'

export const pgliteErrors = defineErrors({
  'data-folder-other-version': {
    kind: 'conflict',
    retry: 'never',
    when: 'the data folder was written by another major version of PostgreSQL than the embedded one',
    next: 'run the version of leanvibe that wrote it and move the data with `leanvibe migrate-to`',
  },
  'embedded-database-failed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the embedded database stopped or could not start; it is started again when it is needed next',
    next: 'check the free space and the permissions of the data folder, then try again',
  },
  'data-folder-taken-over': {
    kind: 'unavailable',
    retry: 'never',
    when: 'this machine was stopped for so long that a process on another host took the data folder',
    next: 'start the process again; it will talk to the present holder',
  },
})
