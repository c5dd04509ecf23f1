import { defineErrors } from '../foundation/kernel/errors.ts'

export const clientErrors = defineErrors({
  'server-unreachable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'no connection to the server could be made, or it broke',
    next: 'see whether the process still runs (`leanvibe doctor`) and start it with `leanvibe serve`',
  },
  'answer-malformed': {
    kind: 'internal',
    retry: 'never',
    when: 'an answer does not have the shape its contract states',
    next: 'use the same version of client and server (`leanvibe --version`)',
  },
  'stream-cut': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a stream ended before all of it had arrived',
    next: 'ask again; event streams resume by themselves',
  },
})
