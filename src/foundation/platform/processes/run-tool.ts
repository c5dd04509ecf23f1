import { execFile } from 'node:child_process'

export interface ToolAnswer {
  /** Null: it did not end in time, or could not be started. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const mostBytes = 16 * 1_048_576

/** Runs a program of the operator (a container CLI, a credential plugin) to its end, without a shell. Never rejects. */
export function runTool(
  file: string,
  args: readonly string[],
  { env, timeoutMs }: { readonly env: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<ToolAnswer> {
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: mostBytes, env: { ...env }, killSignal: 'SIGKILL' } as const
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr })
    })
  })
}
