import { spawn } from 'node:child_process'
import { parentPort } from 'node:worker_threads'
import { performScript } from '../sessions/peer-script.fixture.ts'
import type { FunctionContext, FunctionTask } from './function-contract.ts'

// A function of the tests: it does what its prompt says.
export default async function peer(task: FunctionTask, context: FunctionContext): Promise<undefined> {
  const end = await performScript(task.prompt, {
    say: async (text) => context.say(text),
    place: (path) => `${task.workdir}/${path}`,
    ask: async (title) => {
      const choices = [
        { id: 'allow', label: 'yes' },
        { id: 'no', label: 'no' },
      ]
      const { choice } = await context.ask({ message: title, choices, defaultChoice: 'no' })
      return choice === 'allow'
    },
    spent: async (inputTokens, outputTokens) => context.usage({ inputTokens, outputTokens }),
    garbage: async () => parentPort!.postMessage({ kind: 'nonsense' }),
    die: (code) => process.exit(code),
    call: async (name, [first = '']) => {
      if (name === 'spin') for (;;);
      if (name === 'hoard') {
        const kept: unknown[] = []
        for (;;) kept.push(Array.from({ length: 10_000 }, () => ({})))
      }
      if (name === 'throw') throw Object.assign(new Error(first), { retry: 'never' })
      if (name === 'environment') return Object.keys(process.env).sort().join(' ')
      if (name === 'block') {
        spawn('sleep', ['300'])
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      }
      console.log(first)
      return 'printed'
    },
  })
  if (end === 'done') return undefined
  throw new Error(end === 'refused' ? 'it refused' : end.failed)
}
