// An agent that speaks just enough of the Agent Client Protocol to be waited for: it opens a session, says one word, and
// then thinks for ever. Without the SDK, so that what is measured is not its weight.
import { createInterface } from 'node:readline'

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const answers = {
  initialize: () => ({ protocolVersion: 1, agentCapabilities: {}, authMethods: [] }),
  'session/new': () => ({ sessionId: 'one' }),
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  if (method === 'session/prompt') {
    const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'begun' } }
    send({ method: 'session/update', params: { sessionId: params.sessionId, update } })
  } else if (answers[method] !== undefined) send({ id, result: answers[method]() })
})
