import { Readable, Writable } from 'node:stream'
import { agent, methods, ndJsonStream } from '@agentclientprotocol/sdk'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { performScript } from '../sessions/peer-script.fixture.ts'

// An agent of the tests, written with the official SDK. It does what its prompt says, and what its arguments say it must
// get wrong before.
const fault = process.argv[2] ?? ''
if (fault === 'mute') setInterval(() => {}, 60_000)
else if (fault === 'banner') process.stdout.write('Welcome to the agent!\n')

/** MCP servers that the session was given, by name. */
let servers: ReadonlyMap<string, { readonly command: string; readonly args: string[] }> = new Map()

async function callTool(server: string, tool: string, args: string): Promise<string> {
  const { command, args: rest } = servers.get(server)!
  const tools = new Client({ name: 'agent', version: '1' })
  await tools.connect(new StdioClientTransport({ command, args: rest, env: {} }))
  try {
    if (tool === '') return (await tools.listTools()).tools.map(({ name }) => name).join(',')
    const answer = await tools.callTool({ name: tool, arguments: JSON.parse(args) })
    const words = answer.content.map((each) => (each.type === 'text' ? each.text : each.type)).join()
    return answer.isError ? `failed: ${words}` : words
  } finally {
    await tools.close()
  }
}

const cancels = new Map<string, () => void>()
let spent = { input: 0, output: 0 }
let sessions = 0

const app = agent({ name: 'peer' })
  .onRequest(methods.agent.initialize, () => ({
    protocolVersion: fault === 'version' ? 99 : 1,
    agentCapabilities: { loadSession: true },
    authMethods: [],
  }))
  .onRequest(methods.agent.session.new, ({ params }) => {
    const given = params.mcpServers.flatMap((each) => ('command' in each ? [[each.name, each] as const] : []))
    servers = new Map(given)
    if (fault === 'nameless') return { sessionId: '' }
    if (fault === 'die') process.exit(3)
    sessions += 1
    return { sessionId: `session-${process.pid}-${params.cwd.length}-${sessions}` }
  })
  .onRequest(methods.agent.session.load, async ({ params, client }) => {
    const update = {
      sessionUpdate: 'agent_message_chunk',
      content: { type: 'text', text: 'words of the past' },
    } as const
    await client.notify(methods.client.session.update, { sessionId: params.sessionId, update })
    return {}
  })
  .onRequest(methods.agent.session.prompt, async ({ params, client }) => {
    const { sessionId } = params
    const text = params.prompt.map((block) => (block.type === 'text' ? block.text : '')).join('')
    spent = { input: 0, output: 0 }
    if (text.startsWith('Your context is nearly full') || text.includes('NOTES:')) {
      const words = text.includes('NOTES:') ? `then the rest, in session ${sessions}` : 'NOTES: half is done'
      const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: words } } as const
      await client.notify(methods.client.session.update, { sessionId, update })
      return { stopReason: 'end_turn' }
    }
    const cancelled = new Promise<'cancelled'>((resolve) => cancels.set(sessionId, () => resolve('cancelled')))
    let asked = 0
    const work = performScript(text, {
      say: (words) =>
        client.notify(methods.client.session.update, {
          sessionId,
          update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: words } },
        }),
      ask: async (title, kind) => {
        asked += 1
        const { outcome } = await client.request(methods.client.session.requestPermission, {
          sessionId,
          toolCall: { toolCallId: `call-${asked}`, title, kind: kind as 'execute' },
          options: [
            { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
            { optionId: 'no', name: 'No', kind: 'reject_once' },
          ],
        })
        const allowed = outcome.outcome === 'selected' && outcome.optionId === 'yes'
        const update = { sessionUpdate: 'tool_call_update', toolCallId: `call-${asked}`, status: 'completed' } as const
        if (allowed) await client.notify(methods.client.session.update, { sessionId, update })
        return allowed
      },
      spent: async (input, output) => {
        spent = { input, output }
      },
      call: async (name, [first = '', ...rest]) => {
        try {
          if (name === 'tool') return await callTool(first, rest[0] ?? '', rest[1] ?? '{}')
          if (name === 'read') {
            return (await client.request(methods.client.fs.readTextFile, { sessionId, path: first })).content
          }
          if (name === 'write') {
            await client.request(methods.client.fs.writeTextFile, { sessionId, path: first, content: rest[0] ?? '' })
            return 'written'
          }
          if (name === 'linger') {
            setInterval(() => {}, 60_000)
            return 'here to stay'
          }
          if (name === 'fill') {
            const update = { sessionUpdate: 'usage_update', used: Number(first), size: Number(rest[0]) } as const
            await client.notify(methods.client.session.update, { sessionId, update })
            if (rest[1] === undefined) return 'filled'
            await new Promise(() => setInterval(() => {}, 60_000))
          }
          if (name === 'edited') {
            const update = {
              ...{ sessionUpdate: 'tool_call', toolCallId: 'e1', title: 'Edit', kind: 'edit', status: 'completed' },
              locations: [{ path: first }],
            } as const
            await client.notify(methods.client.session.update, { sessionId, update })
            await new Promise((resolve) => setTimeout(resolve, 20_000))
            return 'still here'
          }
          await using terminal = await client.createTerminal({ sessionId, command: first, args: rest })
          const { exitCode } = await terminal.waitForExit()
          return `${exitCode}: ${(await terminal.currentOutput()).output}`
        } catch (error) {
          return `refused: ${(error as Error).message}`
        }
      },
      garbage: async () => {
        process.stdout.write(`{"jsonrpc":"2.0","method":"session/update","params":${'x'.repeat(33 * 1_048_576)}`)
        await new Promise(() => {})
      },
      die: (code) => process.stdout.write('{"jsonrpc":"2.0","met', () => process.exit(code)),
    })
    const end = await Promise.race([work, cancelled])
    if (end === 'cancelled') return { stopReason: 'cancelled' }
    if (end === 'refused') return { stopReason: 'refusal' }
    if (end !== 'done') throw new Error(end.failed)
    const usage = { inputTokens: spent.input, outputTokens: spent.output, totalTokens: spent.input + spent.output }
    return { stopReason: 'end_turn', usage }
  })
  .onNotification(methods.agent.session.cancel, ({ params }) => cancels.get(params.sessionId)?.())

if (fault !== 'mute') {
  app.connect(
    ndJsonStream(
      Writable.toWeb(process.stdout) as WritableStream<Uint8Array>,
      Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>,
    ),
  )
}
