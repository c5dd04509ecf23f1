import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket, type Server as SocketServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Server } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ToolGrants } from '../sessions/tool-grants.ts'

/** How an agent reaches the granted tools of one server: a program that it starts itself. */
export interface ToolDoor {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

export interface ToolGateOptions {
  readonly grants: ToolGrants
  /** While the promise is open, it is not the agent's turn to speak. */
  readonly waitFor: <T>(work: Promise<T>) => Promise<T>
}

/** Connections that agents and what they start may have open at a time. */
const mostConnections = 32
const mostMessageBytes = 32 * 1_048_576

/**
 * Granted tools for agents that want MCP servers of their own: each server is offered through a small program of ours,
 * which speaks to us over a socket. What the agent sees is listed, decided, called and logged here.
 */
export class ToolGate {
  readonly #options: ToolGateOptions
  readonly #sockets = new Set<Socket>()
  #listeners: SocketServer[] = []
  #folder: string | null = null
  #doors: readonly ToolDoor[] = []

  constructor(options: ToolGateOptions) {
    this.#options = options
  }

  get doors(): readonly ToolDoor[] {
    return this.#doors
  }

  /** What confined agents must be able to write; null: there is no gate. */
  get folder(): string | null {
    return this.#folder
  }

  async open(): Promise<void> {
    const { servers } = this.#options.grants
    if (servers.length === 0) return
    // The path of a socket is short; only its owner can enter the folder.
    this.#folder = await mkdtemp(join(tmpdir(), 'lvt-'))
    const doors: ToolDoor[] = []
    for (const [index, name] of servers.entries()) {
      const path = join(this.#folder, String(index))
      await this.#listen(name, path)
      doors.push({ name, command: process.execPath, args: ['--no-warnings', doorProgram, path] })
    }
    this.#doors = doors
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(
      this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve()))),
    )
    this.#listeners = []
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true })
  }

  async #listen(name: string, path: string): Promise<void> {
    const listener = createServer((socket) => this.#serve(name, socket))
    listener.maxConnections = mostConnections
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(path, resolve)
    })
    this.#listeners.push(listener)
  }

  #serve(name: string, socket: Socket): void {
    this.#sockets.add(socket)
    const gone = new AbortController()
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#sockets.delete(socket)
      gone.abort(new Error('the agent closed the connection'))
    })
    const server = this.#serverOf(name, gone.signal)
    server.onerror = () => {} // a message that is none is answered by the SDK, or the connection ends
    const transport = new StdioServerTransport(socket, socket, { maxBufferSize: mostMessageBytes })
    server.connect(transport).catch(() => socket.destroy())
  }

  #serverOf(name: string, gone: AbortSignal): Server {
    const { grants, waitFor } = this.#options
    const server = new Server({ name, version: '0.1.0' }, { capabilities: { tools: {} } })
    server.setRequestHandler('tools/list', async () => {
      const tools = await waitFor(grants.list(name))
      return {
        tools: tools.map((tool) => ({
          name: tool.name,
          ...(tool.description === null ? {} : { description: tool.description }),
          inputSchema: tool.inputSchema as { type: 'object' },
        })),
      }
    })
    server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
      const call = { server: name, tool: params.name, arguments: (params.arguments ?? {}) as JsonObject }
      const answer = await waitFor(grants.call(call, AbortSignal.any([gone, mcpReq.signal])))
      return {
        content: answer.content as never,
        isError: answer.isError,
        ...(answer.structured === null ? {} : { structuredContent: answer.structured as JsonObject }),
      }
    })
    return server
  }
}

/** Beside us, as source or as built. */
const doorProgram = fileURLToPath(
  new URL(`./tool-door-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
)
