import { defineErrors } from '../../kernel/errors.ts'

export const httpErrors = defineErrors({
  unauthenticated: {
    kind: 'unauthenticated',
    retry: 'never',
    when: 'a request carries no token, or one the server does not know',
    next: 'send `Authorization: Bearer <token>`; the token file is named in server.json of the data folder',
  },
  forbidden: {
    kind: 'forbidden',
    retry: 'never',
    when: 'the caller is known but lacks the permission that the route asks for',
    next: 'ask for the permission that the message names',
  },
  'route-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no route has this method and path',
    next: 'check the path; a client newer than the server may ask for what is not there yet',
  },
  'request-malformed': {
    kind: 'input',
    retry: 'never',
    when: 'a request cannot be read: broken JSON, a wrong content type, a body over the limit',
    next: 'send valid JSON with content-type application/json, within the size limit',
  },
  'page-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the place at which a page of a list should begin is not one that a former page gave',
    next: 'pass `next` of the page before as `after`, unchanged',
  },
  'bind-refused': {
    kind: 'input',
    retry: 'never',
    when: 'the server is told to listen on an address that other machines can reach',
    next: 'listen on 127.0.0.1 or ::1, and put a TLS proxy in front where others must reach it',
  },
  'address-in-use': {
    kind: 'unavailable',
    retry: 'later',
    when: 'another process listens on the wanted port',
    next: 'choose another port (0 picks a free one) or stop the other process',
  },
  draining: {
    kind: 'unavailable',
    retry: 'later',
    when: 'the server is shutting down',
    next: 'try again in a moment; running work is picked up at the next start',
  },
  'not-ready': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the server runs, but cannot do work now',
    next: 'wait a moment; if it lasts, `leanvibe doctor` says what is missing',
  },
  internal: {
    kind: 'internal',
    retry: 'later',
    when: 'the server failed in a way it did not foresee',
    next: 'look for the request id in leanvibe.log (or serve.log) of the data folder, and report it with that part',
  },
})
