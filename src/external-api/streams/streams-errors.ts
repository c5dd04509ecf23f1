import { defineErrors } from '../../foundation/kernel/errors.ts'

export const streamErrors = defineErrors({
  'stream-type-reserved': {
    kind: 'input',
    retry: 'never',
    when: 'an event is to be published under a type that only the platform itself may use',
    next: 'choose a type that begins with another word, for example `deploy.finished`',
  },
  'stream-from-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the place where a stream is to begin is neither a cursor, nor a time, nor `start` or `now`',
    next: 'pass `start`, `now`, a time such as 2026-01-31T12:00:00Z, or the cursor of an event',
  },
  'stream-group-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no consumer group has this name',
    next: 'make it with `leanvibe streaming --action create-group --group NAME`',
  },
  'stream-group-exists': {
    kind: 'conflict',
    retry: 'never',
    when: 'a consumer group of this name is there already',
    next: 'use the group that is there, or choose another name',
  },
  'stream-cursor-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no durable reader of the log has this name',
    next: 'list them with `leanvibe streaming --action cursors`',
  },
  'stream-cursor-in-use': {
    kind: 'conflict',
    retry: 'never',
    when: 'a durable cursor is to be removed that has moved within the last hour, so that somebody reads by it',
    next: 'stop its reader first; with `--force` it goes all the same, and a reader that is still there begins anew at the end of the log',
  },
  'stream-message-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a message that a client sent over a WebSocket is not one that is understood',
    next: 'send {"type":"ack","tokens":[...]} or {"type":"nack","tokens":[...]}',
  },
  'streams-stopped': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a stream is opened, or was open, while the streams of the tenant are stopped',
    next: 'start them again with `leanvibe streaming --action start`; nothing is lost meanwhile',
  },
  'stream-relay-failed': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the NATS server of NATS_URL cannot be reached or refuses what is asked of it',
    next: 'see whether it runs with JetStream enabled and what its log says; the database keeps every event meanwhile',
  },
})
