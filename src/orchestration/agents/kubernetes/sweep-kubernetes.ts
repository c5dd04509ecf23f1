import { ownerLives } from '../container/container-labels.ts'
import type { KubeClient } from './kube-client.ts'
import { deleteObject } from './kube-objects.ts'
import type { KubeObject } from './kube-types.ts'
import { instanceOf } from './kubernetes-labels.ts'

export interface LeftObject {
  readonly kind: 'Job' | 'Pod' | 'Secret'
  readonly name: string
  readonly task: string
}

const kinds = [
  ['Job', (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`],
  ['Pod', (namespace: string) => `/api/v1/namespaces/${namespace}/pods`],
  ['Secret', (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`],
] as const

/** Jobs, pods and Secrets of this data folder whose process is gone. */
export async function findLeftObjects(
  client: KubeClient,
  namespace: string,
  dataFolder: string,
  signal: AbortSignal,
): Promise<readonly LeftObject[]> {
  const labelSelector = `app.kubernetes.io/managed-by=leanvibe,leanvibe.dev/instance=${instanceOf(dataFolder)}`
  const found: LeftObject[] = []
  for (const [kind, path] of kinds) {
    const { items } = await client.list<KubeObject>(path(namespace), { labelSelector }, signal)
    for (const { metadata } of items) {
      if (metadata.deletionTimestamp !== undefined || ownerLives(metadata.annotations?.['leanvibe.dev/owner'])) continue
      // The pods of Jobs go with them.
      if (kind === 'Pod' && metadata.labels?.['leanvibe.dev/job'] !== undefined) continue
      found.push({ kind, name: metadata.name, task: metadata.labels?.['leanvibe.dev/task'] ?? '' })
    }
  }
  return found
}

export async function removeLeftObjects(
  client: KubeClient,
  namespace: string,
  dataFolder: string,
  signal: AbortSignal,
): Promise<readonly LeftObject[]> {
  const left = await findLeftObjects(client, namespace, dataFolder, signal)
  for (const { kind, name } of left) {
    const path = kinds.find(([each]) => each === kind)![1](namespace)
    await deleteObject(client, `${path}/${name}`, null, signal)
  }
  return left
}
