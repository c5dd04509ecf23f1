import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentId } from '../../../foundation/kernel/ids.ts'
import { thisProcess } from '../container/container-labels.ts'
import type { PodLease } from './agent-pod.ts'
import { kubeErrors } from './kube-errors.ts'
import { createObject, deleteObject } from './kube-objects.ts'
import type { KubeObject } from './kube-types.ts'
import { applyNetwork, type KubernetesHost } from './kubernetes-host.ts'
import { commonLabels, instanceOf, kubeName, ownerAnnotations } from './kubernetes-labels.ts'
import { podManifest, sandboxClaimManifest } from './pod-manifest.ts'
import { quietly } from './pod-process.ts'
import { PodTracker } from './pod-tracker.ts'
import { failureOf, statusOf, waitingFor } from './pod-verdict.ts'

const leaveMs = 20_000

interface KeptPod {
  readonly name: string
  readonly objectPath: string
  readonly tracker: PodTracker
  readonly gone: AbortController
  reason: unknown
  idle: NodeJS.Timeout | null
  busy: boolean
}

/** The pods of a pool's agents, one for each slot that was ever needed at a time: made when needed, gone when idle. */
export class AgentPods {
  readonly #host: KubernetesHost
  readonly #pods = new Set<KeptPod>()
  readonly #over = new AbortController()
  #made = 0

  constructor(host: KubernetesHost) {
    this.#host = host
  }

  /** A pod that runs and has no work. @throws what keeps it from running */
  async lease(agentId: AgentId, progress: (note: string) => void, signal: AbortSignal): Promise<PodLease> {
    const free = [...this.#pods].find((pod) => !pod.busy && !pod.gone.signal.aborted)
    const pod = free ?? (await this.#make(agentId, AbortSignal.any([signal, this.#over.signal])))
    pod.busy = true
    if (pod.idle !== null) clearTimeout(pod.idle)
    pod.idle = null
    const { client, namespace, settings } = this.#host
    try {
      const running = await pod.tracker.until(
        (each) => {
          progress(waitingFor(each))
          const container = settings.mode === 'sandbox' ? each.status?.containerStatuses?.[0]?.name : 'agent'
          return container !== undefined && statusOf(each, container)?.state?.running !== undefined
            ? { pod: each.metadata.name, container }
            : undefined
        },
        { container: 'agent', signal: AbortSignal.any([signal, pod.gone.signal]), ms: settings.startMs },
      )
      return {
        address: { client, namespace, ...running },
        signal: pod.gone.signal,
        reason: () => pod.reason,
        give: (clean) => this.#take(pod, clean),
      }
    } catch (error) {
      await this.#remove(pod)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#over.abort()
    await Promise.all([...this.#pods].map((pod) => this.#remove(pod)))
  }

  async #make(agentId: AgentId, signal: AbortSignal): Promise<KeptPod> {
    const { client, namespace, settings, dataFolder, pool } = this.#host
    this.#made += 1
    const { pid } = thisProcess()
    const name = kubeName('lv', instanceOf(dataFolder), labelSafe(agentId), pid, this.#made)
    const labels = { ...commonLabels(settings, dataFolder, pool), 'leanvibe.dev/agent-pod': name }
    const annotations = ownerAnnotations(thisProcess())
    const home = `${dataFolder}/workspaces`
    const request = { name, settings, labels, annotations, home, limits: {} }
    await applyNetwork(this.#host, signal)
    let objectPath = `/api/v1/namespaces/${namespace}/pods`
    let selector = `leanvibe.dev/agent-pod=${name}`
    if (settings.mode === 'sandbox') {
      const version = await this.#sandboxVersion(signal)
      const until = new Date(Date.now() + settings.deadlineMs).toISOString().replace(/\.\d+Z$/, 'Z')
      objectPath = `/apis/extensions.agents.x-k8s.io/${version}/namespaces/${namespace}/sandboxclaims`
      await createObject<KubeObject>(client, objectPath, sandboxClaimManifest(request, version, until), signal)
      selector = await this.#sandboxSelector(`${objectPath}/${name}`, namespace, signal)
    } else await createObject<KubeObject>(client, objectPath, podManifest(request), signal)
    const tracker = new PodTracker(client, namespace, selector, this.#over.signal)
    const gone = new AbortController()
    const pod: KeptPod = {
      ...{ name, objectPath: `${objectPath}/${name}`, tracker, gone, busy: true, idle: null },
      reason: null,
    }
    this.#pods.add(pod)
    // Never resolves but by the end of the pod.
    tracker
      .until((each) => (failureOf(each, 'agent') === null && each.status?.phase !== 'Failed' ? undefined : true), {
        ...{ container: 'agent', signal: gone.signal, ms: null },
      })
      .then(
        () => kubeErrors['pod-lost'](`${name} failed`),
        (error: unknown) => error,
      )
      .then((reason) => {
        if (gone.signal.aborted) return
        pod.reason = reason
        gone.abort(reason)
        return this.#remove(pod)
      })
      .catch(() => {})
    return pod
  }

  async #take(pod: KeptPod, clean: boolean): Promise<void> {
    if (!clean || pod.gone.signal.aborted) return this.#remove(pod)
    pod.busy = false
    pod.idle = setTimeout(() => void this.#remove(pod), this.#host.settings.idleMs)
    pod.idle.unref()
  }

  async #remove(pod: KeptPod): Promise<void> {
    if (!this.#pods.delete(pod)) return
    if (pod.idle !== null) clearTimeout(pod.idle)
    pod.reason ??= kubeErrors['pod-lost'](`${pod.name} was removed`)
    pod.gone.abort(pod.reason)
    await pod.tracker.close()
    await quietly(deleteObject(this.#host.client, pod.objectPath, 1, AbortSignal.timeout(leaveMs)))
  }

  /** The version of the claims that the cluster has. @throws kube-config-invalid where it has none */
  async #sandboxVersion(signal: AbortSignal): Promise<'v1alpha1' | 'v1beta1'> {
    const group = await this.#host.client.call<{ readonly versions: readonly { readonly version: string }[] } | null>({
      path: '/apis/extensions.agents.x-k8s.io',
      signal,
      missing: [404],
    })
    const versions = group?.versions.map(({ version }) => version) ?? []
    const found = (['v1beta1', 'v1alpha1'] as const).find((version) => versions.includes(version))
    if (found !== undefined) return found
    throw kubeErrors['kube-config-invalid']('the cluster has no SandboxClaims: the agent-sandbox controller is missing')
  }

  /** A claim names its Sandbox when it has one; that knows the labels of its pod. */
  async #sandboxSelector(path: string, namespace: string, signal: AbortSignal): Promise<string> {
    const { client, settings } = this.#host
    const until = performance.now() + settings.startMs
    while (performance.now() < until) {
      const claim = await client.call<{
        readonly status?: { readonly sandbox?: { readonly name?: string; readonly Name?: string } }
      }>({ path, signal })
      const sandbox = claim.status?.sandbox?.name ?? claim.status?.sandbox?.Name
      if (sandbox !== undefined && sandbox !== '') {
        const found = await client.call<{ readonly status?: { readonly selector?: string } } | null>({
          path: `/apis/agents.x-k8s.io/${/\/(v1\w+)\//.exec(path.slice('/apis/extensions.agents.x-k8s.io'.length))![1]}/namespaces/${namespace}/sandboxes/${sandbox}`,
          signal,
          missing: [404],
        })
        const selector = found?.status?.selector ?? found?.status?.['LabelSelector' as 'selector']
        if (selector !== undefined && selector !== '') return selector
      }
      await sleep(500, undefined, { signal })
    }
    throw kubeErrors['pod-not-started']('the claim was given no sandbox in time')
  }
}

function labelSafe(agentId: string): string {
  return agentId.slice(-24)
}
