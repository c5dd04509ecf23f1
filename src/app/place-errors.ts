import { defineErrors } from '../foundation/kernel/errors.ts'

export const placeErrors = defineErrors({
  'agent-kind-elsewhere': {
    kind: 'input',
    retry: 'never',
    when: 'a runner that joined by URL has a pool of a kind of agents that needs the database: http, function or llm',
    next: 'declare the pool in the leanvibe.yaml of a server, or join with `leanvibe work --join DATABASE_URL`',
  },
})
