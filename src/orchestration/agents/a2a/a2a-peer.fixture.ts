import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AgentCard,
  formatSSEEvent,
  type Message,
  type Part,
  Role,
  SSE_HEADERS,
  TaskState,
  type TaskStatusUpdateEvent,
} from '@a2a-js/sdk'
import {
  AgentEvent,
  type AgentExecutor,
  DefaultPushNotificationSender,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryPushNotificationStore,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
} from '@a2a-js/sdk/server'
import { performScript } from '../sessions/peer-script.fixture.ts'

/** An agent of the tests, written with the server of the official SDK. It does what its prompt says. */
export interface A2aPeer {
  readonly url: string
  /** Method and `Authorization` of all requests. */
  readonly requests: { readonly method: string; readonly authorization: string | undefined }[]
  /** What is different about it. */
  readonly faults: {
    /** Changes the card. */
    card: (card: Record<string, unknown>) => unknown
    /** It refuses what its card offers. */
    refuse: ReadonlySet<string>
    /** Answers a request itself; true: done. */
    answer: ((method: string, response: ServerResponse) => boolean) | null
    /** Whoever shows another bearer token is sent away. */
    token: string | null
  }
  /** Resolves whoever waits for a word of the prompt `{call: 'gate'}`. */
  open(): void
  close(): Promise<void>
}

const text = (value: string): Part => ({
  content: { $case: 'text', value },
  metadata: undefined,
  filename: '',
  mediaType: 'text/plain',
})

export async function startA2aPeer(card: Partial<AgentCard['capabilities']> = {}): Promise<A2aPeer> {
  const requests: { method: string; authorization: string | undefined }[] = []
  const faults: A2aPeer['faults'] = { card: (given) => given, refuse: new Set(), answer: null, token: null }
  /** Tasks whose server has died, and the streams that tell of tasks. */
  const dead = new Set<string>()
  const streams = new Map<string, Set<ServerResponse>>()
  const waiting = new Map<string, (answer: string) => void>()
  const cancelled = new Map<string, () => void>()
  /** Resolves when somebody has seen how far a task has come. */
  const watchers = new Map<string, () => void>()
  const looked = (taskId: string) =>
    new Promise<void>((resolve) => (streams.has(taskId) ? resolve() : watchers.set(taskId, resolve)))
  let gate = Promise.withResolvers<void>()

  const executor: AgentExecutor = {
    async execute({ taskId, contextId, userMessage, task }, bus) {
      const words = userMessage.parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')
      const working = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined }
      const started = {
        id: taskId,
        contextId,
        status: working,
        artifacts: [],
        history: [userMessage],
        metadata: undefined,
      }
      bus.publish(AgentEvent.task(task === undefined ? started : { ...task, status: working }))
      const answerTo = waiting.get(taskId)
      if (answerTo !== undefined) {
        waiting.delete(taskId)
        answerTo(words)
        return
      }
      void perform(taskId, contextId, words, bus)
      await Promise.resolve()
    },
    async cancelTask(taskId, bus) {
      bus.publish(AgentEvent.statusUpdate(statusOf(taskId, '', TaskState.TASK_STATE_CANCELED)))
      bus.finished()
      cancelled.get(taskId)?.()
    },
  }

  async function perform(taskId: string, contextId: string, words: string, bus: ExecutionEventBus) {
    let begun = false
    let spent: Record<string, unknown> | undefined
    const tell = (state: TaskState, message?: Part[]) =>
      bus.publish(AgentEvent.statusUpdate(statusOf(taskId, contextId, state, message, spent)))
    let held = ''
    const flush = async () => {
      if (held === '') return
      const artifact = {
        ...{ artifactId: 'answer', name: 'answer', description: '', parts: [text(held)] },
        ...{ metadata: undefined, extensions: [] },
      }
      held = ''
      const update = { taskId, contextId, artifact, append: begun, lastChunk: false, metadata: undefined }
      begun = true
      bus.publish(AgentEvent.artifactUpdate(update))
      await new Promise(setImmediate)
    }
    const end = await performScript(words, {
      say: async (chunk) => {
        held += chunk
        // The store of the SDK copies the whole task with each piece.
        if (chunk.length < 500 || held.length > 500_000) await flush()
      },
      ask: async (title, kind) => {
        const answer = new Promise<string>((resolve) => waiting.set(taskId, resolve))
        const choices = [
          { id: 'yes', label: 'Yes', meaning: 'allow-once' },
          { id: 'no', label: 'No', meaning: 'reject-once' },
        ]
        const data: Part = {
          content: {
            $case: 'data',
            value: { question: { kind: 'permission', choices, freeText: false, about: kind } },
          },
          ...{ metadata: undefined, filename: '', mediaType: 'application/json' },
        }
        tell(TaskState.TASK_STATE_INPUT_REQUIRED, [text(title), data])
        return (await answer) === 'yes'
      },
      spent: async (inputTokens, outputTokens) => {
        spent = { usage: { inputTokens, outputTokens } }
      },
      garbage: async () => {
        await looked(taskId)
        for (const response of streams.get(taskId) ?? []) response.write('data: {"jsonrpc":"2.0", and so on\n\n')
        await new Promise(() => {})
      },
      die: async () => {
        await looked(taskId)
        dead.add(taskId)
        for (const response of streams.get(taskId) ?? []) response.destroy()
      },
      call: async (name, args) => {
        if (name === 'gate') {
          await gate.promise
          return 'opened'
        }
        if (name === 'tools') {
          spent = { ...spent, toolCalls: JSON.parse(args[0] ?? '[]') }
          tell(TaskState.TASK_STATE_WORKING)
          return ''
        }
        if (name === 'note') tell(TaskState.TASK_STATE_WORKING, [text(args[0] ?? '')])
        else if (name === 'sign-in') tell(TaskState.TASK_STATE_AUTH_REQUIRED, [text('sign in first')])
        else if (name === 'cut') await looked(taskId)
        if (name === 'cut') for (const response of streams.get(taskId) ?? []) response.destroy()
        else if (name === 'ask') {
          const answer = new Promise<string>((resolve) => waiting.set(taskId, resolve))
          tell(TaskState.TASK_STATE_INPUT_REQUIRED, [text(args[0] ?? '')])
          return answer
        } else if (name === 'part') {
          const parts = JSON.parse(args[1]!).map((part: { raw?: string }) => ({
            ...{ filename: '', mediaType: '', metadata: undefined },
            ...part,
            content:
              part.raw === undefined
                ? (part as { content: unknown }).content
                : { $case: 'raw', value: Buffer.from(part.raw) },
          }))
          const artifact = {
            artifactId: args[0]!,
            name: args[0]!,
            description: '',
            parts,
            metadata: undefined,
            extensions: [],
          }
          bus.publish(
            AgentEvent.artifactUpdate({
              taskId,
              contextId,
              artifact,
              append: false,
              lastChunk: true,
              metadata: undefined,
            }),
          )
        }
        return ''
      },
    })
    if (end === 'refused') tell(TaskState.TASK_STATE_REJECTED, [text('I do not do that')])
    else if (end !== 'done') tell(TaskState.TASK_STATE_FAILED, [text(end.failed)])
    else tell(TaskState.TASK_STATE_COMPLETED)
    bus.finished()
  }

  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const agentCard: AgentCard = {
    ...{ name: 'Peer', description: 'Does what it is told.', version: '1.0.0', provider: undefined, signatures: [] },
    supportedInterfaces: [{ url: `${url}/rpc`, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: false, extensions: [], ...card },
    ...{
      securitySchemes: {},
      securityRequirements: [],
      defaultInputModes: ['text/plain'],
      defaultOutputModes: ['text/plain'],
    },
    skills: [
      {
        ...{
          id: 'scripts',
          name: 'Scripts',
          description: 'Plays scripts.',
          tags: ['Code Review', 'testing'],
          examples: [],
        },
        ...{ inputModes: [], outputModes: [], securityRequirements: [] },
      },
    ],
  }
  const pushes = new InMemoryPushNotificationStore()
  // The executor goes on in the background: its bus must live as long.
  const alive = [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_AUTH_REQUIRED]
  const handler = new JsonRpcTransportHandler(
    new DefaultRequestHandler(
      ...([
        agentCard,
        new InMemoryTaskStore(),
        executor,
        undefined,
        pushes,
        new DefaultPushNotificationSender(pushes),
      ] as const),
      ...([undefined, undefined, { keepBusAliveStates: alive }] as unknown as []),
    ),
  )

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { authorization } = request.headers
    if (request.method === 'GET') {
      requests.push({ method: 'card', authorization })
      const { AgentCard: codec } = await import('@a2a-js/sdk')
      response.setHeader('content-type', 'application/json')
      return void response.end(JSON.stringify(faults.card(codec.toJSON(agentCard) as Record<string, unknown>)))
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as {
      id: unknown
      method: string
      params?: { id?: string }
    }
    requests.push({ method: body.method, authorization })
    if (faults.answer?.(body.method, response)) return
    if (faults.token !== null && authorization !== `Bearer ${faults.token}`) {
      response.statusCode = 401
      return void response.end('{}')
    }
    if (body.params?.id !== undefined && dead.has(body.params.id)) return void response.destroy()
    if (faults.refuse.has(body.method)) {
      const error = { code: -32_004, message: 'This operation is not supported' }
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id: body.id, error }))
    }
    const result = await handler.handle(body, new ServerCallContext({ requestedVersion: '1.0' }))
    if (!(Symbol.asyncIterator in result)) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(result))
      if (body.method === 'GetTask') watchers.get(body.params?.id ?? '')?.()
      return
    }
    response.writeHead(200, SSE_HEADERS)
    for await (const event of result) {
      const told = (event as { result?: { task?: { id: string } } }).result
      const id = told?.task?.id
      if (id !== undefined) {
        streams.set(id, (streams.get(id) ?? new Set()).add(response))
        watchers.get(id)?.()
      }
      // What nobody hears is kept all the same: the generator of the SDK is what writes it down.
      if (response.destroyed) continue
      if (!response.write(formatSSEEvent(event)) && !response.destroyed)
        await new Promise<void>((resolve) => {
          const go = () => {
            response.off('drain', go).off('close', go)
            resolve()
          }
          response.on('drain', go).on('close', go)
        })
    }
    response.end()
  }
  server.on('request', (request, response) => {
    serve(request, response).catch(() => response.destroy())
  })

  return {
    ...{ url, requests, faults },
    open() {
      gate.resolve()
      gate = Promise.withResolvers()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function statusOf(
  taskId: string,
  contextId: string,
  state: TaskState,
  parts?: Part[],
  metadata?: Record<string, unknown>,
): TaskStatusUpdateEvent {
  const message: Message | undefined =
    parts === undefined
      ? undefined
      : {
          ...{ messageId: `m-${Math.random()}`, contextId, taskId, role: Role.ROLE_AGENT, parts },
          ...{ metadata: undefined, extensions: [], referenceTaskIds: [] },
        }
  return { taskId, contextId, status: { state, message, timestamp: new Date().toISOString() }, metadata }
}
