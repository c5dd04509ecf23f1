import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { ProcessEnd, RunningProcess, StartProcess } from '../../../foundation/platform/processes/index.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { withoutHost } from '../container/container-environment.ts'
import { thisProcess } from '../container/container-labels.ts'
import type { Place } from '../places/place.ts'
import { followLog } from './follow-log.ts'
import { openExec } from './kube-exec.ts'
import { createObject, deleteObject } from './kube-objects.ts'
import type { KubeObject, Pod } from './kube-types.ts'
import { applyNetwork, type KubernetesHost } from './kubernetes-host.ts'
import { attemptLabels, commonLabels, homeOf, instanceOf, kubeName, ownerAnnotations } from './kubernetes-labels.ts'
import { bringIn, fetchBack, type PodFolders } from './pod-files.ts'
import { controlFolder, jobManifest, secretManifest } from './pod-manifest.ts'
import { quietly } from './pod-process.ts'
import { PodTracker } from './pod-tracker.ts'
import { PodMeter } from './pod-usage.ts'
import { endOfContainer, statusOf, waitingFor } from './pod-verdict.ts'
import { inputOf, startBeside } from './start-beside.ts'

const agent = 'agent'
const leaveMs = 20_000
/** How long files may take on their way. */
const filesMs = 600_000

/** One attempt as a Job: its first process is the agent's container, further ones are started beside it. */
export class JobPlace implements Place {
  readonly name: string
  readonly #host: KubernetesHost
  readonly #assignment: Assignment
  readonly #context: AttemptContext
  readonly #over = new AbortController()
  #tracker: PodTracker | null = null
  #pod: string | null = null
  #processes = 0
  #removed: Promise<void> | null = null

  constructor(host: KubernetesHost, assignment: Assignment, context: AttemptContext) {
    this.#host = host
    this.#assignment = assignment
    this.#context = context
    this.name = kubeName('lv', instanceOf(host.dataFolder), assignment.taskId, assignment.fence)
  }

  async start(request: StartProcess): Promise<RunningProcess> {
    this.#processes += 1
    if (this.#processes === 1) return this.#run(request)
    const { client, namespace } = this.#host
    const address = { client, namespace, pod: this.#pod ?? this.name, container: agent }
    return startBeside(address, request, `${this.#context.tempdir}/process-${this.#processes}`, {})
  }

  async close(): Promise<number> {
    await this.#remove(0)
    this.#over.abort()
    await this.#tracker?.close()
    // The folders of the attempt are here: nothing in the cluster can touch them.
    return 0
  }

  async #run(request: StartProcess): Promise<RunningProcess> {
    const { client, namespace, settings } = this.#host
    const signal = AbortSignal.any([this.#context.signal, this.#over.signal])
    const memoryLimit = Math.min(settings.limits.memoryBytes, request.limits?.memoryBytes ?? Number.POSITIVE_INFINITY)
    await applyNetwork(this.#host, signal)
    await this.#create(request, signal)
    const tracker = new PodTracker(client, namespace, `leanvibe.dev/job=${this.name}`, this.#over.signal)
    this.#tracker = tracker
    const startBy = { signal, ms: settings.startMs }
    const folders: PodFolders = {
      home: homeOf(this.#context),
      context: this.#context,
      staging: this.#host.dataFolder,
      mostBytes: settings.limits.diskBytes * 2,
    }
    const pod = await tracker.until(
      (each) => {
        this.#context.progress(waitingFor(each))
        return statusOf(each, 'workspace-in')?.state?.running === undefined ? undefined : each
      },
      { ...startBy, container: agent },
    )
    this.#pod = pod.metadata.name
    const address = (container: string) => ({ client, namespace, pod: pod.metadata.name, container })
    await bringIn(address('workspace-in'), folders, `touch ${controlFolder}/ready`, signal)
    const begun = (each: Pod) => {
      const state = statusOf(each, agent)?.state
      return state?.running !== undefined || state?.terminated !== undefined ? true : undefined
    }
    await tracker.until(begun, { ...startBy, container: agent })
    const from = performance.now()

    const meter = new PodMeter()
    const over = new AbortController()
    const looking = AbortSignal.any([over.signal, this.#over.signal])
    const used = () => request.onSample?.({ cpuSeconds: meter.cpuSeconds ?? 0, rssBytes: meter.mostBytes ?? 0 })
    const metering = meter.watch(client, address(agent), this.#host.sampleMs, used, looking)
    let stopped = false
    let isOver = false
    let fetching: Promise<void> | null = null
    const fetchOnce = () => {
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(filesMs)])
      fetching ??= fetchBack(address('workspace'), folders, signal)
      return fetching
    }
    // Of an attempt that is over nobody wants the files.
    const isWanted = () => !this.#context.signal.aborted
    const output = await this.#output(request, address(agent), () => isOver, looking)
    const ended = (async (): Promise<ProcessEnd> => {
      try {
        const about = () => ({
          wallSeconds: (performance.now() - from) / 1_000,
          ...{ cpuSeconds: meter.cpuSeconds, mostBytes: meter.mostBytes },
        })
        const verdict = await tracker.until((each) => endOfContainer(each, agent, about(), memoryLimit) ?? undefined, {
          ...{ container: agent, signal: this.#over.signal, ms: null },
        })
        isOver = true
        await Promise.race([output.done, new Promise((resolve) => setTimeout(resolve, leaveMs).unref())])
        if (isAppError(verdict)) throw verdict
        if (isWanted()) await fetchOnce()
        return verdict
      } catch (error) {
        if (!stopped) throw error
        await fetching
        return stoppedEnd((performance.now() - from) / 1_000)
      } finally {
        over.abort()
        await metering
        await this.#remove(0)
      }
    })()
    ended.catch(() => {})
    return {
      pid: 0,
      stdin: output.stdin,
      ended,
      stop: (graceMs = request.graceMs ?? 5_000) => {
        if (stopped) return
        stopped = true
        // Who is slow to leave has done his work, and it goes with the pod.
        const kept = isWanted() ? fetchOnce() : Promise.resolve()
        const stop = () => quietly(this.#stop(graceMs))
        // That it failed, `ended` tells.
        void kept.then(stop, stop)
      },
    }
  }

  async #create(request: StartProcess, signal: AbortSignal): Promise<void> {
    const { client, namespace, settings, dataFolder, pool } = this.#host
    const { tempdir } = this.#context
    const { stdin = 'none', limits } = request
    let argv = [request.file, ...request.args]
    if (typeof stdin === 'object') {
      const file = join(tempdir, 'stdin')
      await writeFile(file, stdin.content, { mode: 0o600 })
      argv = ['sh', '-c', 'exec "$@" < "$0"', file, ...argv]
    }
    const labels = {
      ...commonLabels(settings, dataFolder, pool),
      ...attemptLabels(this.#assignment),
      'leanvibe.dev/job': this.name,
    }
    const annotations = ownerAnnotations(thisProcess())
    const named = Object.entries(withoutHost(request.env)).filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    const values = { ...Object.fromEntries(named), HOME: '/tmp' }
    const secrets = `/api/v1/namespaces/${namespace}/secrets`
    await createObject(client, secrets, secretManifest(this.name, labels, annotations, values), signal)
    const timeoutMs = 'timeoutMs' in this.#assignment.spec ? (this.#assignment.spec.timeoutMs ?? null) : null
    const deadlineMs = Math.min(settings.deadlineMs, (timeoutMs ?? settings.deadlineMs) + settings.startMs + 60_000)
    const job = await createObject<KubeObject>(
      client,
      `/apis/batch/v1/namespaces/${namespace}/jobs`,
      jobManifest({
        ...{ name: this.name, settings, labels, annotations, home: homeOf(this.#context), limits: limits ?? {} },
        ...{ argv, workdir: request.cwd, stdin: stdin === 'pipe', secret: this.name },
        deadlineSeconds: Math.ceil(deadlineMs / 1_000),
      }),
      signal,
    )
    // Whatever removes the Job, its time to live for one, removes the Secret.
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name: this.name, uid: job.metadata.uid ?? '' }
    const body = { metadata: { ownerReferences: [owner] } }
    await client.call({ method: 'PATCH', path: `${secrets}/${this.name}`, body, signal })
  }

  /** The agent's output: its log, or, where it is talked to, its standard streams. */
  async #output(
    request: StartProcess,
    address: { readonly namespace: string; readonly pod: string; readonly container: string },
    ended: () => boolean,
    signal: AbortSignal,
  ): Promise<{ readonly stdin: Writable | null; readonly done: Promise<unknown> }> {
    const { client } = this.#host
    if (request.stdin !== 'pipe') {
      return { stdin: null, done: quietly(followLog(client, address, request.onStdout, ended, signal)) }
    }
    const { onStdout, onStderr } = request
    const running = await openExec(client, { ...address, command: 'attach', stdin: true, onStdout, onStderr, signal })
    return { stdin: inputOf(running), done: quietly(running.ended) }
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#remove(Math.ceil(graceMs / 1_000))
    await this.#tracker?.untilGone(graceMs + leaveMs)
    this.#over.abort()
  }

  /** The Job, and with it its pod and its Secret. */
  #remove(graceSeconds: number): Promise<void> {
    this.#removed ??= (async () => {
      const { client, namespace } = this.#host
      const signal = AbortSignal.timeout(leaveMs)
      await quietly(deleteObject(client, `/apis/batch/v1/namespaces/${namespace}/jobs/${this.name}`, null, signal))
      const pod = this.#pod
      if (pod !== null)
        await quietly(deleteObject(client, `/api/v1/namespaces/${namespace}/pods/${pod}`, graceSeconds, signal))
      await quietly(deleteObject(client, `/api/v1/namespaces/${namespace}/secrets/${this.name}`, null, signal))
    })()
    return this.#removed
  }
}

function stoppedEnd(wallSeconds: number): ProcessEnd {
  const usage = { cpuSeconds: null, maxRssBytes: null, wallSeconds }
  return { exitCode: null, signal: 'SIGTERM', usage, leftovers: 0, survivors: 0, lost: false, breach: null }
}
