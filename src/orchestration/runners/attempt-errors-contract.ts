import { defineErrors, isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { AttemptError } from './exchange-contract.ts'

/** How attempts fail. `retry` is what a step without a list of its own goes by. */
export const agentErrors = defineErrors({
  'exit-code': {
    kind: 'internal',
    retry: 'later',
    when: 'a command ended with an exit code other than 0',
    next: 'read its output with `leanvibe runs logs`; give the step `retry` if it may pass a second time',
  },
  signal: {
    kind: 'internal',
    retry: 'later',
    when: 'a command was ended by a signal, such as that of a crash or of a system short of memory',
    next: 'read its output with `leanvibe runs logs`; SIGKILL without a cancel often means that memory ran out',
  },
  timeout: {
    kind: 'limit',
    retry: 'later',
    when: 'an attempt took longer than the timeout of its step',
    next: 'raise `timeout` of the step, or make the work smaller',
  },
  cancelled: {
    kind: 'conflict',
    retry: 'never',
    when: 'an attempt was ended because its run or task was cancelled',
    next: 'start the run again, or use `leanvibe runs retry`',
  },
  'limit-exceeded': {
    kind: 'limit',
    retry: 'never',
    when: 'an attempt used more memory, processor time or disk than its step allows',
    next: 'raise `resources.limits` of the step (`leanvibe resources optimize` tells what its attempts use), or make the work smaller',
  },
  'output-invalid': {
    kind: 'input',
    retry: 'later',
    when: 'what a command printed is not the JSON that the step declares, or lacks the selected part',
    next: 'correct the command or the `outputs` of the step; `leanvibe runs logs` shows what was printed',
  },
  'output-missing': {
    kind: 'input',
    retry: 'never',
    when: 'a file that the step declares as output does not exist in its workspace',
    next: 'correct the path in `outputs` of the step, or make the command write the file',
  },
  'output-too-large': {
    kind: 'limit',
    retry: 'never',
    when: 'an output is larger than artifacts may be',
    next: 'make the output smaller, or raise `limits.artifact` in leanvibe.yaml',
  },
  'secret-committed': {
    kind: 'input',
    retry: 'never',
    when: 'the commit of an attempt adds the value of a secret that the attempt was given',
    next: 'have the work leave the value out of files, and change the secret where others may have read it; the commit goes no further',
  },
  'agent-mismatch': {
    kind: 'input',
    retry: 'never',
    when: 'a task was given to an agent that cannot do its kind',
    next: 'name a pool with a fitting agent in the step; the pool `local` does commands and scripts, but takes no prompts',
  },
  'agent-crashed': {
    kind: 'internal',
    retry: 'later',
    when: 'the adapter of an agent failed in a way that nobody foresaw',
    next: 'report this with the message; the attempt can be tried again',
  },
  'agent-unresponsive': {
    kind: 'internal',
    retry: 'never',
    when: 'an agent inside this process did not stop when it was told to',
    next: 'restart the runner; the function must heed its signal',
  },
})

/** Any failure as a report carries it. */
export function attemptErrorOf(error: unknown): AttemptError {
  if (!isAppError(error)) return { code: 'agent-crashed', message: messageOf(error), retry: 'later' }
  return { code: error.code, message: error.message, retry: error.retry === 'never' ? 'never' : 'later' }
}
