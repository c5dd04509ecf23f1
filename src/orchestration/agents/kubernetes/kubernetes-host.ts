import type { KubernetesSettings } from '../../../foundation/platform/config/kubernetes-settings.ts'
import type { KubeClient } from './kube-client.ts'
import { applyObject } from './kube-objects.ts'
import { instanceOf } from './kubernetes-labels.ts'
import { networkPolicyManifest } from './pod-manifest.ts'

/** What the places of one pool share. */
export interface KubernetesHost {
  readonly pool: string
  readonly settings: KubernetesSettings
  readonly client: KubeClient
  readonly namespace: string
  readonly dataFolder: string
  /** Between looks at the metrics. */
  readonly sampleMs: number
}

/** Sees to it that the network of the pool's pods is what the pool says, before one of them is made. */
export async function applyNetwork(host: KubernetesHost, signal: AbortSignal): Promise<void> {
  const manifest = networkPolicyManifest(host.settings, instanceOf(host.dataFolder))
  if (manifest === null) return
  const path = `/apis/networking.k8s.io/v1/namespaces/${host.namespace}/networkpolicies`
  await applyObject(host.client, path, manifest, signal)
}
