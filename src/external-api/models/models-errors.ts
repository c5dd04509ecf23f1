import { defineErrors } from '../../foundation/kernel/errors.ts'

export const modelErrors = defineErrors({
  'model-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'a call names a model that no account of the tenant serves, or that its key may not use',
    next: 'see `leanvibe models list`; accounts and aliases are in `models` of leanvibe.yaml',
  },
  'model-unpriced': {
    kind: 'forbidden',
    retry: 'never',
    when: 'a US$ budget binds a call whose price nobody knows: the model has none, or the call asks for what is paid otherwise',
    next: 'add the price under `prices` in leanvibe.yaml, or leave out what the message names',
  },
  'model-request-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a model call is no JSON object, names no model, or asks for what cannot be accounted for',
    next: 'correct what the message names',
  },
  'model-dialect-unsupported': {
    kind: 'input',
    retry: 'never',
    when: 'a model is behind a provider of another dialect, which has no counterpart of something in the call',
    next: 'leave out what the message names, or call a model of a provider that speaks the dialect of the call',
  },
  'model-busy': {
    kind: 'limit',
    retry: 'later',
    when: 'the accounts of a model refuse calls for longer than a call waits (`models.wait`)',
    next: 'wait as long as Retry-After says, or add an account',
  },
  'model-upstream-refused': {
    kind: 'input',
    retry: 'never',
    when: 'the provider of a model refuses a call as wrong',
    next: "correct what the message, which is the provider's, names",
  },
  'model-upstream-failed': {
    kind: 'unavailable',
    status: 502,
    retry: 'later',
    when: 'the provider of a model cannot be reached, fails, or breaks off, and no other account could take the call',
    next: 'try again in a moment; the log says which account failed and how',
  },
  'model-account-unusable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the key of an account is missing, or the provider does not accept it',
    next: 'check the `secret` of the account that the log names',
  },
  'model-call-cut': {
    kind: 'conflict',
    retry: 'now',
    when: 'the caller of a model goes away before it is answered; what was held counts, if the call had left',
    next: 'nothing; whoever is still interested calls again',
  },
  'model-key-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no model key of the tenant has the id',
    next: 'list them with `leanvibe models keys list`',
  },
  'model-key-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a model key is asked for with a task of another run, or one that does not exist',
    next: 'correct what the message names',
  },
  'model-call-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'no model call of the tenant has the id, or its contents were not kept',
    next: 'list calls with `leanvibe models calls`; contents are kept only while the tenant wants it',
  },
  'models-unreachable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'agents of a pool with `models` are to start in a process that does not know where the gateway is',
    next: 'set `models.url` in leanvibe.yaml to the address of a server',
  },
})
