import { ModelServer } from '../../test/support/model-server/index.ts'
import { serveCalls } from '../harness/worker-process.ts'

/**
 * A fast model: the first word of its nth answer comes after so long, always the same, then one word after the other. A
 * whole answer ends with how long it took: what takes 150 to 250 ms has no median that is exact to a millisecond.
 */
const delayMs = (n: number) => 150 + ((n * 13) % 101)
const everyMs = 20
const words = 25

let server: ModelServer | null = null

/** The scripted provider that both are measured against. */
serveCalls({
  start: async () => null,
  async listen() {
    const streamed = { text: '@now '.repeat(words), everyMs, stamps: true }
    server = await ModelServer.start({
      script: [
        { when: ({ said }) => said === 'at once', reply: { text: 'word '.repeat(words) } },
        { when: ({ stream }) => stream, reply: ({ n }) => ({ ...streamed, delayMs: delayMs(n) }) },
        { reply: ({ n }) => ({ text: `${'word '.repeat(words)}(${delayMs(n)} ms)`, delayMs: delayMs(n) }) },
      ],
    })
    return server.url
  },
  stop: async () => server?.[Symbol.asyncDispose](),
})
