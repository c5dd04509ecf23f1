import { defineErrors } from '../../foundation/kernel/errors.ts'

export const a2aServerErrors = defineErrors({
  'a2a-agent-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no agent is offered under this name',
    next: 'name it in `a2a.offer` of leanvibe.yaml; `GET /.well-known/agent-card.json` shows the first that is offered',
  },
  'a2a-notification-refused': {
    kind: 'unauthenticated',
    retry: 'never',
    when: 'a notification of a remote agent carries no token of ours, or one that is over',
    next: 'send the credentials of the push notification configuration as `Authorization: Bearer`',
  },
  'a2a-notification-late': {
    kind: 'not-found',
    status: 410,
    retry: 'never',
    when: 'a notification is for an attempt that has ended, or was lost to another',
    next: 'nothing: what the task needs, it asks for itself',
  },
  'a2a-message-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a message holds nothing that the offered agent can take',
    next: 'send text, and values as data parts; files are not taken',
  },
  'a2a-push-url-refused': {
    kind: 'input',
    retry: 'never',
    when: 'notifications cannot be sent to the address: it is not https, or not public',
    next: 'use a public https URL, or name the network in `a2a.allow` of leanvibe.yaml',
  },
})
