import type { LeaseServices } from '../../app/join/runner-server.ts'
import type { Client } from '../../client/client.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import {
  acceptRunnerCall,
  answerRunnerCall,
  closeRunnerCall,
  dropRunnerContext,
  expectRunnerContext,
  keepRunnerContext,
  openRunnerCall,
  runnerCallMessages,
} from '../../orchestration/remote-runners/runner-services-contract.ts'

type Ask = <T>(ask: (client: Client) => Promise<T>, signal?: AbortSignal) => Promise<T>

/** What agents keep at the servers. `patiently`: on each in turn, and again after a while. */
export function createLeaseServices(patiently: Ask): LeaseServices {
  return {
    keepContext: async (runner, fence, body) => {
      await patiently((each) => each.call(keepRunnerContext, { params: { runner, fence }, body }))
    },
    dropContext: async (runner, fence) => {
      await patiently((each) => each.call(dropRunnerContext, { params: { runner, fence } }))
    },
    expectContext: (runner, fence) =>
      patiently((each) => each.call(expectRunnerContext, { params: { runner, fence } })),
    openCall: (runner, fence, body) =>
      patiently((each) => each.call(openRunnerCall, { params: { runner, fence }, body })) as never,
    acceptCall: async (runner, fence, answer) => {
      const body = { answer: answer as never }
      await patiently((each) => each.call(acceptRunnerCall, { params: { runner, fence }, body }))
    },
    callMessages: async (runner, fence, after, signal) => {
      const asked = { params: { runner, fence }, query: { after }, signal }
      const { items } = await patiently((each) => each.call(runnerCallMessages, asked), signal)
      return items.map((item) => ({ ...item, answer: item.answer as JsonValue | null }))
    },
    answerCall: async (runner, fence, seq, answer) => {
      const body = { answer: answer as never }
      await patiently((each) => each.call(answerRunnerCall, { params: { runner, fence, seq }, body }))
    },
    closeCall: async (runner, fence, reason) => {
      await patiently((each) => each.call(closeRunnerCall, { params: { runner, fence }, body: { reason } }))
    },
  }
}
