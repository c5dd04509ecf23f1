import type { KubeClient } from './kube-client.ts'
import { kubeErrors } from './kube-errors.ts'
import type { KubeObject } from './kube-types.ts'

const mostTries = 5
const waitMs = 500

/** Marks what one process wants to make, so that an answer that was lost is told from a leftover of the same name. */
export const nonceAnnotation = 'leanvibe.dev/nonce'

interface Manifest {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
}

/**
 * Makes an object. One of that name that we have made ourselves, without hearing so, is taken; one that was left by
 * somebody before is removed first.
 */
export async function createObject<T extends KubeObject>(
  client: KubeClient,
  path: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<T> {
  const { name, annotations } = manifest.metadata
  for (let attempt = 1; attempt <= mostTries; attempt++) {
    const made = await client.call<T | null>({ method: 'POST', path, body: manifest, signal, missing: [409] })
    if (made !== null) return made
    const there = await client.call<T | null>({ path: `${path}/${name}`, signal, missing: [404] })
    const nonce = annotations?.[nonceAnnotation]
    const deleted = there?.metadata.deletionTimestamp !== undefined
    if (there !== null && nonce !== undefined && there.metadata.annotations?.[nonceAnnotation] === nonce && !deleted)
      return there
    if (there !== null && !deleted) await deleteObject(client, `${path}/${name}`, 0, signal)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    signal.throwIfAborted()
  }
  throw kubeErrors['kube-failed'](`${path}/${name} is there already and does not go`)
}

/** Removes an object with what belongs to it. Whether it was there does not matter. */
export async function deleteObject(
  client: KubeClient,
  path: string,
  graceSeconds: number | null,
  signal: AbortSignal,
): Promise<void> {
  await client.call({
    method: 'DELETE',
    path,
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      ...(graceSeconds === null ? {} : { gracePeriodSeconds: graceSeconds }),
    },
    signal,
    missing: [404, 409],
  })
}

/** Makes an object what the manifest says, whatever it was. */
export async function applyObject(
  client: KubeClient,
  path: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const made = await client.call({ method: 'POST', path, body: manifest, signal, missing: [409] })
  if (made !== null) return
  await client.call({ method: 'PATCH', path: `${path}/${manifest.metadata.name}`, body: manifest, signal })
}
