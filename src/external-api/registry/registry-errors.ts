import { defineErrors } from '../../foundation/kernel/errors.ts'

export const registryErrors = defineErrors({
  'registry-entry-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no agent is published under this name',
    next: 'see what is there with `leanvibe registry search`',
  },
  'registry-target-unknown': {
    kind: 'input',
    retry: 'never',
    when: 'what is to be published is no pool or workflow of ours, or no URL',
    next: 'name a pool of leanvibe.yaml, a workflow (`leanvibe workflows list`), or an https URL',
  },
})
