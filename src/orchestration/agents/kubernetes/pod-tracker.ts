import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { KubeClient } from './kube-client.ts'
import { kubeErrors } from './kube-errors.ts'
import type { Pod } from './kube-types.ts'
import { failureOf, waitingFor } from './pod-verdict.ts'

/** Follows the pods that a label selects; of several, the newest counts. */
export class PodTracker {
  readonly #over = new AbortController()
  readonly #watching: Promise<void>
  #pod: Pod | null = null
  #gone: Pod | null = null
  #error: unknown = null
  #wake: (() => void)[] = []

  constructor(client: KubeClient, namespace: string, selector: string, signal: AbortSignal) {
    const all = AbortSignal.any([signal, this.#over.signal])
    this.#watching = this.#follow(client, `/api/v1/namespaces/${namespace}/pods`, { labelSelector: selector }, all)
  }

  get pod(): Pod | null {
    return this.#pod
  }

  /** A pod that was there and is no more. */
  get gone(): boolean {
    return this.#pod === null && this.#gone !== null
  }

  /**
   * Resolves to the first answer of `look` that is not undefined; it is asked with every change.
   * @throws what keeps the pod from its work, pod-not-started when the time is over, pod-lost when the pod is
   */
  async until<T>(
    look: (pod: Pod) => T | undefined,
    { container, signal, ms }: { readonly container: string; readonly signal: AbortSignal; readonly ms: number | null },
  ): Promise<T> {
    const from = performance.now()
    for (;;) {
      signal.throwIfAborted()
      if (this.#error !== null) throw this.#error
      const pod = this.#pod
      if (pod !== null) {
        const found = look(pod)
        if (found !== undefined) return found
        const failure = failureOf(pod, container)
        if (failure !== null) throw failure
      } else if (this.#gone !== null) {
        throw failureOf(this.#gone, container) ?? kubeErrors['pod-lost'](`${this.#gone.metadata.name} was deleted`)
      }
      const left = ms === null ? null : ms - (performance.now() - from)
      if (left !== null && left <= 0) {
        throw kubeErrors['pod-not-started'](`it did not run within ${Math.round(ms! / 1_000)} s: ${waitingFor(pod)}`)
      }
      await this.#change(left, signal)
    }
  }

  /** Resolves when there is no pod, or the time is over: then false. */
  async untilGone(ms: number): Promise<boolean> {
    const until = performance.now() + ms
    while (this.#pod !== null && this.#error === null) {
      const left = until - performance.now()
      if (left <= 0) return false
      await this.#change(left, this.#over.signal)
    }
    return this.#pod === null
  }

  async close(): Promise<void> {
    this.#over.abort()
    await this.#watching
  }

  async #follow(
    client: KubeClient,
    path: string,
    query: { labelSelector: string },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for await (const { type, object } of client.watch<Pod>(path, query, signal)) {
        if (type === 'present') this.#pod = object
        else if (this.#pod === null || this.#pod.metadata.name === object.metadata.name) {
          this.#gone = object
          this.#pod = null
        }
        this.#tell()
      }
    } catch (error) {
      if (!signal.aborted) this.#error = isAppError(error) ? error : kubeErrors['kube-failed'](String(error))
    } finally {
      this.#tell()
    }
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #change(ms: number | null, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        if (timer !== null) clearTimeout(timer)
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const timer = ms === null ? null : setTimeout(finish, ms)
      signal.addEventListener('abort', finish, { once: true })
      this.#wake.push(finish)
      if (signal.aborted) finish()
    })
  }
}
