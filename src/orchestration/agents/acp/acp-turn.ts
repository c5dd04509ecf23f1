import type { PromptResponse } from '@agentclientprotocol/sdk'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { AttemptError } from '../../runners/exchange-contract.ts'
import type { AgentAnswer } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'

/** How a turn ended, in the words of all kinds. Pure. */
export function answerOf(answer: PromptResponse): AgentAnswer {
  const failed = (error: AttemptError): AgentAnswer => ({ outcome: 'failed', error })
  switch (answer?.stopReason) {
    case 'end_turn':
      return { outcome: 'done', error: null }
    case 'cancelled':
      return {
        outcome: 'cancelled',
        error: attemptErrorOf(sessionErrors['agent-failed']('it says that its work was cancelled')),
      }
    case 'refusal':
      return failed(attemptErrorOf(sessionErrors['agent-refused']('it refused the task')))
    case 'max_tokens':
      return failed(attemptErrorOf(sessionErrors['agent-limit']('its answer is longer than it may be')))
    case 'max_turn_requests':
      return failed(attemptErrorOf(sessionErrors['agent-limit']('it needs more turns than it may take')))
    default: {
      const reason = JSON.stringify(answer?.stopReason ?? null).slice(0, 200)
      return failed(attemptErrorOf(sessionErrors['agent-protocol'](`it stopped for the unknown reason ${reason}`)))
    }
  }
}

/** For an agent that remembers the attempt before. Pure. */
export function resumedPrompt(workdir: string, prompt: string): string {
  return `The attempt before this one did not succeed. You are in a new working folder, ${workdir}, as the repository was when the task began: nothing that you changed before is in it. Do the task again.\n\n${prompt}`
}
