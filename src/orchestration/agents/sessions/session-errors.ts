import { defineErrors } from '../../../foundation/kernel/errors.ts'

/** How conversations with agents fail, whatever the agent is. */
export const sessionErrors = defineErrors({
  'agent-unreachable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'an agent could not be started or reached, or the connection to it broke',
    next: 'see what it printed with `leanvibe runs logs`, and whether its program or address is right (`leanvibe doctor`)',
  },
  'agent-protocol': {
    kind: 'internal',
    retry: 'later',
    when: 'an agent sent what its protocol does not allow, or more than it may',
    next: 'see `leanvibe runs logs`; a newer version of the agent may do better',
  },
  'agent-refused': {
    kind: 'input',
    retry: 'never',
    when: 'an agent refused the task',
    next: 'read its answer with `leanvibe runs logs` and put the task differently, or give it to another agent',
  },
  'agent-failed': {
    kind: 'internal',
    retry: 'later',
    when: 'an agent said that it has failed',
    next: 'read its answer with `leanvibe runs logs`',
  },
  'agent-limit': {
    kind: 'limit',
    retry: 'later',
    when: 'an agent reached a limit of its own: tokens of an answer, turns, calls of tools',
    next: 'make the task smaller, or raise the limit of the agent',
  },
  'agent-auth': {
    kind: 'unauthenticated',
    retry: 'never',
    when: 'an agent wants its user to sign in first',
    next: 'start the agent by hand once and sign in, or pass the variable with its key on (`env` of the pool)',
  },
  'agent-silent': {
    kind: 'unavailable',
    retry: 'later',
    when: 'an agent said nothing for longer than its pool allows',
    next: 'raise `silence` of the pool if it may think for so long',
  },
  'path-outside': {
    kind: 'forbidden',
    retry: 'never',
    when: 'an agent asked for a file outside its worktree, or for the git folder in it',
    next: 'agents may use the files of their worktree alone; name further folders in `confine` of the pool',
  },
  'permission-denied': {
    kind: 'forbidden',
    retry: 'never',
    when: 'an agent did something that the policy of its pool or a person refused',
    next: 'change `permissions` of the pool, or approve the next time',
  },
  'confinement-missing': {
    kind: 'unavailable',
    retry: 'never',
    when: 'a pool requires bounds that this host cannot set',
    next: 'install bubblewrap (`leanvibe doctor` says what is missing), or set `confine.mode: auto`',
  },
})
