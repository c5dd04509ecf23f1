import { ModelServer, type Reply, type SeenRequest } from '../../../../test/support/model-server/index.ts'
import type { PeerStep } from '../sessions/peer-script.fixture.ts'

/** A model that does what the script in its prompt says, through the tools it is given. */
export function startScriptedModel(): Promise<ModelServer> {
  return ModelServer.start({ script: [{ reply: playScript }] })
}

/** The steps after those that the results of tools already answer. */
function playScript(request: SeenRequest): Reply {
  const prompt = request.texts.find((text) => text.includes('[{"')) ?? '[]'
  const steps = JSON.parse(prompt.slice(prompt.indexOf('[{"'), prompt.lastIndexOf(']') + 1)) as PeerStep[]
  const results = resultsOf(request)
  let text = ''
  let used = 0
  let usage: Reply['usage'] = { input: 1, output: 1 }
  for (const step of steps) {
    const at = used
    if ('say' in step) text += step.say
    else if ('flood' in step) text += `${'flood_'.repeat(160)}\n`.repeat(step.flood)
    else if ('spent' in step) usage = step.spent
    else if ('hang' in step) return { text: text === '' ? ' ' : text, gate: hangAfter(2) }
    else if ('die' in step) return { text: `${text} `, dieAfter: 3 }
    else if ('garbage' in step) return { text, failAfter: 0, message: 'x' }
    else if ('refuse' in step) return { status: 400, message: 'it refused the task' }
    else if ('fail' in step) return { text, failAfter: 1 + piecesOf(text), message: step.fail }
    else {
      used += 1
      if (at < results.length) {
        if (!('write' in step)) text += said(step, results[at]!)
        continue
      }
      return { text: '', usage, tools: [toolOf(step)] }
    }
  }
  return { text: text === '' ? 'nothing' : text, usage }
}

function said(step: PeerStep, result: string): string {
  if ('ask' in step) return result.startsWith('error: not allowed') ? 'refused' : 'allowed'
  if ('leak' in step) return result.replace(/^exit code 0\n/, '')
  return 'daemon' in step ? '' : `${result}\n`
}

function toolOf(step: PeerStep) {
  if ('write' in step) return { name: 'write', input: { path: step.write, content: step.content } }
  if ('leak' in step) return { name: 'run', input: { argv: ['sh', '-c', `printf 'secret: %s' "$${step.leak}"`] } }
  if ('ask' in step) return { name: 'search', input: { pattern: step.ask } }
  if ('daemon' in step) return { name: 'run', input: { argv: ['sh', '-c', 'setsid sleep 300 >/dev/null 2>&1 &'] } }
  if ('call' in step) return { name: step.call, input: JSON.parse(step.with[0] ?? '{}') as object }
  throw new Error(`no tool for ${JSON.stringify(step)}`)
}

function hangAfter(pieces: number): () => Promise<void> {
  let left = pieces
  return async () => {
    left -= 1
    if (left < 0) await new Promise(() => {})
  }
}

const piecesOf = (text: string) => (text === '' ? 0 : text.split(/(?<=\s)/).filter((word) => word !== '').length)

interface WireMessage {
  readonly role: string
  readonly content: string | readonly { readonly type: string; readonly content: string }[]
}

function resultsOf({ wire, body }: SeenRequest): readonly string[] {
  const messages = body.messages as readonly WireMessage[]
  if (wire === 'chat') return messages.filter(({ role }) => role === 'tool').map(({ content }) => content as string)
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter(({ type }) => type === 'tool_result').map((part) => part.content),
  )
}
