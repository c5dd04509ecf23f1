import { Writable } from 'node:stream'
import type { RunningProcess, StartProcess } from '../../../foundation/platform/processes/index.ts'
import { openExec } from './kube-exec.ts'
import type { PodAddress } from './pod-files.ts'
import { transfer } from './pod-files.ts'
import { endOfExec, quietly, quoted } from './pod-process.ts'

const killMs = 10_000

/**
 * Starts a process in a pod that runs. A shell notes its number, so that it can be told to stop, and becomes it.
 * @param variables those that its container does not have
 */
export async function startBeside(
  address: PodAddress,
  request: StartProcess,
  pidFile: string,
  variables: { readonly file?: string },
): Promise<RunningProcess> {
  const { stdin = 'none', onStdout, onStderr, cwd } = request
  const over = new AbortController()
  const from = performance.now()
  const inputFile = `${pidFile}.stdin`
  if (typeof stdin === 'object') {
    const content = Buffer.from(stdin.content)
    const save = ['sh', '-c', `head -c ${content.length} > "$0"`, inputFile]
    await transfer(address, save, over.signal, (write) => write(content))
  }
  const own = variables.file === undefined ? '' : `. ${quoted(variables.file)}; rm -f ${quoted(variables.file)}; `
  const input = typeof stdin === 'object' ? ` < ${quoted(inputFile)}` : ''
  const script = `cd ${quoted(cwd)} && ${own}echo $$ > "$0" && exec "$@"${input}`
  const running = await openExec(address.client, {
    ...{ namespace: address.namespace, pod: address.pod, container: address.container },
    command: ['sh', '-c', script, pidFile, request.file, ...request.args],
    ...{ stdin: stdin === 'pipe', onStdout, onStderr, signal: over.signal },
  })
  const ended = running.ended.then((end) => endOfExec(end, (performance.now() - from) / 1_000))
  ended.catch(() => {})
  const kill = (signal: string) => {
    const script = `kill -${signal} "$(cat "$0")"`
    return quietly(transfer(address, ['sh', '-c', script, pidFile], AbortSignal.timeout(killMs)))
  }
  let stopped = false
  return {
    pid: 0,
    stdin: stdin === 'pipe' ? inputOf(running) : null,
    ended,
    stop(graceMs = request.graceMs ?? 5_000) {
      if (stopped) return
      stopped = true
      const timer = setTimeout(() => void kill('KILL').then(() => over.abort()), graceMs)
      const settled = () => clearTimeout(timer)
      ended.then(settled, settled)
      void kill('TERM')
    },
  }
}

/** What is written goes to the process; the end is told, where the server can. */
export function inputOf(running: Awaited<ReturnType<typeof openExec>>): Writable {
  const stdin = new Writable({
    write: (chunk: Buffer, _, done) => void running.write(chunk).then(() => done(), done),
    final: (done) => {
      running.endInput()
      done()
    },
  })
  // Whoever writes learns of the end from `ended`.
  stdin.on('error', () => {})
  return stdin
}
