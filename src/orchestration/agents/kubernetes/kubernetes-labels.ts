import { createHash, randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import type { KubernetesSettings } from '../../../foundation/platform/config/kubernetes-settings.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AttemptContext } from '../agent-adapter.ts'
import { type ContainerOwner, dataFolderMark } from '../container/container-labels.ts'
import { nonceAnnotation } from './kube-objects.ts'
import { networkLabel } from './pod-manifest.ts'

const longestName = 63

/** A name of Kubernetes: small letters, digits and dashes, 63 at most. What is longer is told apart by a digest. */
export function kubeName(...parts: readonly (string | number)[]): string {
  const full = parts.join('-')
  const name = full
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  if (name.length <= longestName) return name
  const digest = createHash('sha256').update(full).digest('hex').slice(0, 12)
  return `${name.slice(0, longestName - digest.length - 1).replace(/-+$/, '')}-${digest}`
}

/** A value that a label may have. */
export function labelValue(text: string): string {
  return text
    .replaceAll(/[^\w.-]/g, '_')
    .slice(0, 63)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
}

export function instanceOf(dataFolder: string): string {
  return dataFolderMark(dataFolder).slice(0, 8)
}

/** What all that we make carries. */
export function commonLabels(settings: KubernetesSettings, dataFolder: string, pool: string): Record<string, string> {
  const network = networkLabel(settings)
  return {
    ...settings.labels,
    'app.kubernetes.io/managed-by': 'leanvibe',
    'leanvibe.dev/instance': instanceOf(dataFolder),
    'leanvibe.dev/pool': labelValue(pool),
    ...(network === null ? {} : { 'leanvibe.dev/network': network }),
  }
}

export function attemptLabels({ runId, taskId, fence, attempt }: Assignment): Record<string, string> {
  return {
    'leanvibe.dev/run': labelValue(runId),
    'leanvibe.dev/task': labelValue(taskId),
    'leanvibe.dev/attempt': String(attempt),
    'leanvibe.dev/fence': String(fence),
  }
}

export function ownerAnnotations(owner: ContainerOwner): Record<string, string> {
  return { 'leanvibe.dev/owner': JSON.stringify(owner), [nonceAnnotation]: randomUUID() }
}

/** The folder that holds those of the attempt. */
export function homeOf({ workdir }: Pick<AttemptContext, 'workdir'>): string {
  return dirname(workdir)
}
