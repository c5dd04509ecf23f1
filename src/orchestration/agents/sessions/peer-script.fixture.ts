import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** What an agent of the tests is told to do, as JSON in its prompt: one step after another. */
export type PeerStep =
  | { readonly say: string }
  | { readonly flood: number }
  | { readonly write: string; readonly content: string }
  | { readonly leak: string }
  | { readonly ask: string; readonly kind: string }
  | { readonly daemon: true }
  | { readonly spent: { readonly input: number; readonly output: number } }
  | { readonly hang: true }
  | { readonly die: number }
  | { readonly garbage: true }
  | { readonly refuse: true }
  | { readonly fail: string }
  /** Something that only its protocol knows; what comes of it is said. */
  | { readonly call: string; readonly with: readonly string[] }

/** How the peer of one protocol does what is not the same for all. */
export interface PeerTools {
  say(text: string): Promise<void>
  /** Asks for permission; resolves to whether it was given. */
  ask(title: string, kind: string): Promise<boolean>
  spent(input: number, output: number): Promise<void>
  garbage(): Promise<void>
  die(code: number): void
  call?(name: string, args: readonly string[]): Promise<string>
  /** Where files are, unless they are in the working folder of its process. */
  place?(path: string): string
}

export type PeerEnd = 'done' | 'refused' | { readonly failed: string }

/** Does the steps of a prompt. Resolves never after `hang`. */
export async function performScript(prompt: string, tools: PeerTools): Promise<PeerEnd> {
  const at = prompt.indexOf('[{')
  for (const step of JSON.parse(prompt.slice(at)) as PeerStep[]) {
    if ('say' in step) await tools.say(step.say)
    else if ('flood' in step) for (let n = 0; n < step.flood; n++) await tools.say(`${'flood '.repeat(160)}\n`)
    else if ('write' in step) {
      const path = tools.place?.(step.write) ?? step.write
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, step.content)
    } else if ('leak' in step) await tools.say(`secret: ${process.env[step.leak]}\n`)
    else if ('ask' in step) await tools.say((await tools.ask(step.ask, step.kind)) ? 'allowed\n' : 'refused\n')
    else if ('daemon' in step) {
      const daemon = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' })
      daemon.unref()
    } else if ('spent' in step) await tools.spent(step.spent.input, step.spent.output)
    else if ('hang' in step) await new Promise(() => setInterval(() => {}, 60_000))
    else if ('die' in step) {
      tools.die(step.die)
      await new Promise(() => {})
    } else if ('call' in step) await tools.say(`${await tools.call!(step.call, step.with)}\n`)
    else if ('garbage' in step) await tools.garbage()
    else if ('refuse' in step) return 'refused'
    else return { failed: step.fail }
  }
  return 'done'
}

export function promptOf(...steps: readonly PeerStep[]): string {
  return JSON.stringify(steps)
}
