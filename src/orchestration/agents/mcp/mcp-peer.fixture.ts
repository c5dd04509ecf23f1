import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
import { performScript } from '../sessions/peer-script.fixture.ts'

// A server of the tests, written with the official SDK. Its tool `perform` does what its prompt says; the others are for
// grants. Its first argument says what it must get wrong before.

/** How the peer breaks what carries it. */
export interface PeerFaults {
  garbage(): Promise<void>
  die(code: number): void
}

export function createPeer(faults: PeerFaults): McpServer {
  const server = new McpServer({ name: 'peer', version: '1.0.0' }, { capabilities: { logging: {} } })
  server.registerTool(
    'perform',
    { description: 'Does what the prompt says.', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      let words = ''
      const progressToken = mcpReq._meta?.progressToken
      let told = 0
      const end = await performScript(prompt, {
        say: async (text) => {
          words += text
          told += 1
          if (progressToken === undefined) return
          const params = { progressToken, progress: told, message: text }
          await mcpReq.notify({ method: 'notifications/progress', params })
        },
        ask: async () => false,
        spent: async () => {},
        ...faults,
        call: async (name, [first = '']) => {
          if (name !== 'elicit') return 'what?'
          const requestedSchema = { type: 'object' as const, properties: { answer: JSON.parse(first) as never } }
          const answer = await mcpReq.elicitInput({ message: 'which one?', requestedSchema })
          return JSON.stringify(answer)
        },
      })
      if (typeof end === 'object') return { isError: true, content: [{ type: 'text', text: end.failed }] }
      return { content: [{ type: 'text', text: words }] }
    },
  )
  server.registerTool(
    'add',
    {
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
    },
    async ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }], structuredContent: { sum: a + b } }),
  )
  server.registerTool('picture', { description: 'Gives a picture.', inputSchema: z.object({}) }, async () => ({
    content: [{ type: 'image', data: Buffer.from('pixels').toString('base64'), mimeType: 'image/png' }],
  }))
  server.registerTool(
    'env',
    { description: 'Tells a variable.', inputSchema: z.object({ name: z.string() }) },
    async ({ name }) => ({ content: [{ type: 'text', text: `${name}=${process.env[name] ?? 'unset'}` }] }),
  )
  server.registerTool(
    'big',
    { description: 'Says a lot.', inputSchema: z.object({ bytes: z.number() }) },
    async ({ bytes }) => ({ content: [{ type: 'text', text: 'x'.repeat(bytes) }] }),
  )
  return server
}

/** The same server at an address. */
export function createPeerHandler(faults: PeerFaults) {
  return createMcpHandler(() => createPeer(faults))
}

const [program = '', fault = ''] = process.argv.slice(1)
if (program.endsWith('mcp-peer.fixture.ts')) {
  if (fault === 'banner') process.stdout.write('Welcome to the tools!\n')
  if (fault === 'die') process.exit(3)
  if (fault === 'mute') setInterval(() => {}, 60_000)
  else {
    serveStdio(() =>
      createPeer({
        garbage: async () => {
          process.stdout.write('{"jsonrpc":"2.0","result":\n')
          await new Promise(() => {})
        },
        die: (code) => process.stdout.write('{"jsonrpc":"2.0","met', () => process.exit(code)),
      }),
    )
  }
}
