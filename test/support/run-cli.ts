import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const bin = fileURLToPath(new URL('../../bin/leanvibe.js', import.meta.url))
/**
 * For processes of a few seconds: the code of the embedded database is not optimised, which takes a quarter of their
 * processor time and pays only later.
 */
export const briefNode: readonly string[] = ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliProcess {
  readonly child: ChildProcess
  readonly ended: Promise<CliResult>
  /** What standard output has so far. */
  readonly stdout: () => string
  readonly stderr: () => string
}

export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** The Node to run on. Default: the one of the tests. */
  readonly node?: string
  /** It has much to do: its code is optimised as it is for users. A server of a test is gone before that pays. */
  readonly long?: boolean
  /** Ended by force after this long. Default 180 s. */
  readonly timeoutMs?: number
}

/** Starts the real command line as a process of its own. It sees no setting of the tests' own environment. */
export function startCli(args: readonly string[], options: CliOptions): CliProcess {
  const { cwd, env = {}, node = process.execPath, timeoutMs = 180_000, long = false } = options
  const flags = long || options.node !== undefined ? [] : briefNode
  const child = spawn(node, [...flags, bin, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended, stdout: () => stdout, stderr: () => stderr }
}

export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended
}

/** The documents of an NDJSON output. */
export function documentsOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A folder that goes when the test file is done. */
export function scratchFolder(name: string): { readonly path: string; remove(): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), `leanvibe-${name}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) }
}
