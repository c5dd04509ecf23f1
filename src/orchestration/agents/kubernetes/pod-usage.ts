import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { KubeClient } from './kube-client.ts'

interface PodMetrics {
  readonly containers?: readonly {
    readonly name: string
    readonly usage?: { readonly cpu?: string; readonly memory?: string }
  }[]
}

const suffixes: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/** `250m`, `12Mi`, `123456789n` as a number. */
export function parseQuantity(text: string): number | null {
  const match = /^([\d.]+)(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text)
  return match === null ? null : Number(match[1]) * (match[2] === undefined ? 1 : suffixes[match[2]]!)
}

/** Adds up what the metrics server says of a container, where a cluster has one. */
export class PodMeter {
  cpuSeconds: number | null = null
  mostBytes: number | null = null
  #at: number | null = null

  /** Looks until the signal ends. @param onUse is told where CPU time was used since the last look */
  async watch(
    client: KubeClient,
    place: { readonly namespace: string; readonly pod: string; readonly container: string },
    everyMs: number,
    onUse: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${place.namespace}/pods/${place.pod}`
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        const metrics = await client.call<PodMetrics | null>({ path, signal, missing: [404] })
        this.#take(metrics?.containers?.find(({ name }) => name === place.container)?.usage, onUse)
      } catch (error) {
        // No metrics server, or none for us: what was used stays unknown.
        if (signal.aborted || isAppError(error, 'kube-refused')) return
      }
    }
  }

  #take(usage: { readonly cpu?: string; readonly memory?: string } | undefined, onUse: () => void): void {
    if (usage === undefined) return
    const now = performance.now()
    const since = this.#at === null ? 0 : (now - this.#at) / 1_000
    this.#at = now
    const cores = parseQuantity(usage.cpu ?? '')
    const bytes = parseQuantity(usage.memory ?? '')
    if (cores !== null) this.cpuSeconds = (this.cpuSeconds ?? 0) + cores * since
    if (bytes !== null) this.mostBytes = Math.max(this.mostBytes ?? 0, bytes)
    if (cores !== null && cores > 0.001) onUse()
  }
}
