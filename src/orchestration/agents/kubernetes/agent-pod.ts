import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProcessEnd, RunningProcess, StartProcess } from '../../../foundation/platform/processes/index.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { withoutHost } from '../container/container-environment.ts'
import type { Place } from '../places/place.ts'
import type { KubernetesHost } from './kubernetes-host.ts'
import { homeOf } from './kubernetes-labels.ts'
import { bringIn, fetchBack, type PodAddress, type PodFolders, transfer } from './pod-files.ts'
import { quietly, quoted } from './pod-process.ts'
import { startBeside } from './start-beside.ts'

const filesMs = 600_000
const cleanMs = 30_000

export interface PodLease {
  readonly address: PodAddress
  /** Aborted when the pod is gone. */
  readonly signal: AbortSignal
  /** Why it is gone. */
  reason(): unknown
  /** Gives it back; one that is not clean is not used again. */
  give(clean: boolean): Promise<void>
}

/** One attempt in a pod that lives on: its folders are brought, its processes started and ended, its folders fetched. */
export class AgentPodPlace implements Place {
  readonly #host: KubernetesHost
  readonly #context: AttemptContext
  readonly #lease: () => Promise<PodLease>
  #held: PodLease | null = null
  #processes = 0

  constructor(host: KubernetesHost, context: AttemptContext, lease: () => Promise<PodLease>) {
    this.#host = host
    this.#context = context
    this.#lease = lease
  }

  async start(request: StartProcess): Promise<RunningProcess> {
    this.#processes += 1
    const pidFile = join(this.#context.tempdir, `process-${this.#processes}`)
    if (this.#processes > 1) return startBeside(this.#held!.address, request, pidFile, {})
    this.#held = await this.#lease()
    const { address, signal: gone, reason } = this.#held
    const signal = AbortSignal.any([this.#context.signal, gone])
    const folders: PodFolders = {
      home: homeOf(this.#context),
      context: this.#context,
      staging: this.#host.dataFolder,
      mostBytes: this.#host.settings.limits.diskBytes * 2,
    }
    const file = join(this.#context.tempdir, 'variables')
    await writeFile(file, exportsOf(request.env), { mode: 0o600 })
    await bringIn(address, folders, 'true', signal)
    await writeFile(file, '')
    const running = await startBeside(address, request, pidFile, { file })
    const ended = (async (): Promise<ProcessEnd> => {
      const lost = new Promise<never>((_, reject) => {
        const onGone = () => reject(reason())
        gone.addEventListener('abort', onGone, { once: true })
        if (gone.aborted) onGone()
      })
      lost.catch(() => {})
      const end = await Promise.race([running.ended, lost])
      // Nobody of the attempt is left when its folders are fetched.
      await quietly(killAll(address, 'KILL', AbortSignal.any([gone, AbortSignal.timeout(cleanMs)])))
      // Who is stopped because he is slow to leave has done his work; of an attempt that is over nobody wants the files.
      if (!this.#context.signal.aborted) {
        await fetchBack(address, folders, AbortSignal.any([gone, AbortSignal.timeout(filesMs)]))
      }
      return end
    })()
    ended.catch(() => {})
    return {
      ...{ pid: 0, stdin: running.stdin, ended },
      stop: (graceMs = request.graceMs ?? 5_000) => {
        running.stop(graceMs)
        void quietly(killAll(address, 'TERM', AbortSignal.timeout(cleanMs)))
      },
    }
  }

  async close(): Promise<number> {
    const lease = this.#held
    if (lease === null) return 0
    const signal = AbortSignal.any([lease.signal, AbortSignal.timeout(cleanMs)])
    const script = 'kill -KILL -1 2>/dev/null; rm -rf "$0"'
    const clean = await quietly(transfer(lease.address, ['sh', '-c', script, homeOf(this.#context)], signal))
    await lease.give(clean)
    return 0
  }
}

/** All processes of the pod but its first, which waits for the next attempt. */
function killAll(address: PodAddress, signal: string, until: AbortSignal): Promise<void> {
  return transfer(address, ['sh', '-c', `kill -${signal} -1 2>/dev/null; true`], until)
}

function exportsOf(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ ...withoutHost(env), HOME: '/tmp' })
    .filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
  return lines.join('')
}
