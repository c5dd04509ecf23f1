import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

export const stepNames = [
  'survey',
  'inventory',
  'churn',
  'ownership',
  'dependencies',
  'secrets',
  'secrets-history',
  'bulk',
  'duplicates',
  'todos',
  'tests',
] as const

export interface ProgramEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
}

/** Runs one program as a user would, through the launcher. */
export async function runProgramFile(
  name: string,
  args: readonly string[],
  options: { readonly stdin?: string; readonly heapMegabytes?: number } = {},
): Promise<ProgramEnd> {
  const started = performance.now()
  const flags = options.heapMegabytes === undefined ? [] : [`--max-old-space-size=${options.heapMegabytes}`]
  const child = spawn(process.execPath, [...flags, join(import.meta.dirname, 'run.mjs'), name, ...args], {
    stdio: 'pipe',
  })
  child.stdin.on('error', () => {}) // a program that does not read may be gone before
  child.stdin.end(options.stdin ?? '')
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr, seconds: (performance.now() - started) / 1000 }
}
