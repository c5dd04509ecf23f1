import type { AttemptContext } from '../../src/orchestration/agents/agent-adapter.ts'
import { ScriptedPeople } from '../../src/orchestration/agents/sessions/ask.fixture.ts'
import { promptOf } from '../../src/orchestration/agents/sessions/peer-script.fixture.ts'
import type { HostedAgent } from '../../src/orchestration/runners/hosted-agent.ts'
import { MemoryExchange } from '../../src/orchestration/runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit } from '../../src/orchestration/runners/runner-kit.fixture.ts'

/** What a kind of agent needs to be measured; `close` ends what was started for it. */
export interface KindToMeasure {
  readonly kind: string
  make(kit: RunnerKit, people: ScriptedPeople): Promise<{ readonly hosted: HostedAgent; close?(): Promise<void> }>
}

/** Takes the place of the method of an object that has private parts. */
function withLog(context: AttemptContext, onLog: () => void): AttemptContext {
  return new Proxy(context, {
    get(target, name) {
      if (name === 'log') {
        return (...args: Parameters<AttemptContext['log']>) => {
          onLog()
          return target.log(...args)
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Milliseconds from the lease in the runner's hands to the first word of the agent, one after another. */
export async function leaseToFirstMessage(
  { make }: KindToMeasure,
  samples: number,
  warmUps: number,
): Promise<number[]> {
  const kit = new RunnerKit()
  const people = new ScriptedPeople()
  const { hosted, close } = await make(kit, people)
  try {
    let leasedAt = 0
    let firstAt = 0
    const adapter = {
      ...hosted.adapter,
      run: (...[assignment, context]: Parameters<typeof hosted.adapter.run>) =>
        hosted.adapter.run(
          assignment,
          withLog(context, () => {
            firstAt ||= performance.now()
          }),
        ),
    }
    const port = new MemoryExchange([hosted.registration])
    const exchange = port.exchange.bind(port)
    port.exchange = async (...args) => {
      const reply = await exchange(...args)
      if (reply.assignments.length > 0) leasedAt = performance.now()
      return reply
    }
    kit.runner(port, [{ ...hosted, adapter }], { pollMs: 20 })
    const taken: number[] = []
    for (let sample = 0; sample < warmUps + samples; sample++) {
      firstAt = 0
      port.enqueue(agentSpec(promptOf({ say: 'hello' }), { outputs: { text: { from: 'stdout' } } }))
      await port.settled(sample + 1)
      const report = port.accepted.at(-1)!
      if (report.outcome !== 'succeeded' || firstAt === 0) throw new Error(`it failed: ${report.error?.message}`)
      if (sample >= warmUps) taken.push(firstAt - leasedAt)
    }
    return taken
  } finally {
    await kit.close()
    await close?.()
  }
}
