import { defineErrors } from '../../foundation/kernel/errors.ts'

export const migrateErrors = defineErrors({
  'database-moved': {
    kind: 'conflict',
    retry: 'never',
    when: 'the database was moved to another place with `leanvibe migrate-to`, or a move was begun and not seen to end',
    next: 'use the place that the message names; a move that broke off is repeated with the same `leanvibe migrate-to`; `leanvibe migrate-to --take-back` makes this database the one that counts again',
  },
  'move-place-unknown': {
    kind: 'input',
    retry: 'never',
    when: 'the place to move to is neither a PostgreSQL URL nor a folder, or is the place to move from',
    next: 'say `leanvibe migrate-to postgres://USER:PASSWORD@HOST/DATABASE`, or `leanvibe migrate-to FOLDER` for an embedded database in a new data folder',
  },
  'move-source-in-use': {
    kind: 'conflict',
    retry: 'later',
    when: 'other processes work on the database that is to be moved',
    next: 'stop all `leanvibe serve` and `leanvibe work`; runs in flight wait, and go on where the database has moved to',
  },
  'move-target-not-empty': {
    kind: 'conflict',
    retry: 'never',
    when: 'the place to move to has rows, or a database, already',
    next: 'give a database that was just created, or a folder without a database',
  },
  'move-versions-differ': {
    kind: 'conflict',
    retry: 'never',
    when: 'the schemas of both places are not of the same version',
    next: 'start the newest version of leanvibe once on the database to be moved, stop it, and move then',
  },
  'move-check-failed': {
    kind: 'internal',
    retry: 'never',
    when: 'what was copied differs from what was to be copied; nothing was committed',
    next: 'report this with the message; the database that was to be moved is unchanged, `leanvibe migrate-to --take-back` opens it again',
  },
})
