import { defineErrors } from '../../kernel/errors.ts'

export const configErrors = defineErrors({
  'config-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'leanvibe.yaml or a LEANVIBE_ variable holds something that is not understood, or two settings contradict each other',
    next: 'correct the places that the message names; `leanvibe init` writes a commented leanvibe.yaml to compare with',
  },
  'config-unreadable': {
    kind: 'input',
    retry: 'never',
    when: 'the configuration file cannot be read, or belongs to somebody else',
    next: 'check the path and its owner; name a file you trust with --config FILE',
  },
  'secret-missing': {
    kind: 'input',
    retry: 'never',
    when: 'a secret is asked for that is not declared, or whose variable, file or command gives nothing',
    next: 'declare it under `secrets:` in leanvibe.yaml, and set the variable, file or command it points at',
  },
})
