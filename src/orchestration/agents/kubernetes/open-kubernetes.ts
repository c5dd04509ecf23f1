import type { KubernetesSettings } from '../../../foundation/platform/config/kubernetes-settings.ts'
import type { OpenPlace } from '../places/place.ts'
import { AgentPodPlace } from './agent-pod.ts'
import { AgentPods } from './agent-pods.ts'
import { JobPlace } from './job-place.ts'
import { KubeClient } from './kube-client.ts'
import type { KubeAccess } from './kube-config.ts'
import type { KubernetesHost } from './kubernetes-host.ts'

export interface KubernetesOptions {
  readonly pool: string
  readonly settings: KubernetesSettings
  readonly dataFolder: string
  /** Looked for at the first attempt. @throws kube-config-invalid */
  readonly access: () => Promise<KubeAccess>
  /** Between looks at the metrics of a pod. Default 15,000. */
  readonly sampleMs?: number
}

export interface KubernetesPlaces {
  readonly open: OpenPlace
  /** Removes the pods that wait for work. */
  close(): Promise<void>
}

/** Jobs or pods of a cluster, as a pool says. */
export function openKubernetes(options: KubernetesOptions): KubernetesPlaces {
  let opened: Promise<{ readonly host: KubernetesHost; readonly pods: AgentPods }> | null = null
  const open = () => {
    opened ??= connect(options).catch((error: unknown) => {
      // A kubeconfig may be put right while we run.
      opened = null
      throw error
    })
    return opened
  }
  return {
    async open(assignment, context) {
      const { host, pods } = await open()
      if (host.settings.mode === 'job') return new JobPlace(host, assignment, context)
      const progress = (note: string) => context.progress(note)
      return new AgentPodPlace(host, context, () => pods.lease(assignment.agentId, progress, context.signal))
    },
    async close() {
      const held = await opened?.catch(() => null)
      await held?.pods.close()
      await held?.host.client.close()
    },
  }
}

async function connect(options: KubernetesOptions) {
  const { pool, settings, dataFolder, sampleMs = 15_000 } = options
  const access = await options.access()
  const client = new KubeClient({ access })
  const host: KubernetesHost = { pool, settings, client, namespace: access.namespace, dataFolder, sampleMs }
  return { host, pods: new AgentPods(host) }
}
