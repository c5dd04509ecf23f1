import type { AppError } from '../../../foundation/kernel/errors.ts'
import type { ProcessEnd } from '../../../foundation/platform/processes/index.ts'
import { signalOf } from '../container/container-verdict.ts'
import { kubeErrors } from './kube-errors.ts'
import type { ContainerStatus, Pod } from './kube-types.ts'

/** What a node says of an image or a configuration that will not come right by waiting. */
const hopeless: ReadonlySet<string> = new Set([
  ...['ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'ImageInspectError'],
  ...['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'],
])
const notExecutable = /executable file .*not found|no such file or directory|permission denied|exec format error/i

export function statusOf(pod: Pod, container: string): ContainerStatus | null {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  return all.find(({ name }) => name === container) ?? null
}

/** Why a pod will not do its work; null: it may. @param container the one that the work is in */
export function failureOf(pod: Pod, container: string): AppError | null {
  const { status } = pod
  const about = (text: string | undefined) => (text === undefined || text === '' ? '' : `: ${text.slice(0, 500)}`)
  if (status?.reason === 'Evicted' || status?.reason === 'Preempted' || status?.reason === 'Preempting')
    return kubeErrors['pod-evicted'](`${pod.metadata.name} was evicted${about(status.message)}`)
  if (status?.reason === 'DeadlineExceeded')
    return kubeErrors['pod-deadline'](`${pod.metadata.name} ran longer than it may${about(status.message)}`)
  if (status?.reason === 'NodeLost' || status?.reason === 'NodeShutdown' || status?.reason === 'Terminated')
    return kubeErrors['pod-lost'](`${pod.metadata.name} was lost with its node${about(status.message)}`)
  const disrupted = status?.conditions?.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True')
  if (disrupted !== undefined && status?.phase === 'Failed')
    return kubeErrors['pod-evicted'](`${pod.metadata.name}: ${disrupted.reason}${about(disrupted.message)}`)
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const waiting = each.state?.waiting
    if (waiting?.reason !== undefined && hopeless.has(waiting.reason))
      return kubeErrors['pod-image'](`${each.name}: ${waiting.reason}${about(waiting.message)}`)
    const ended = each.state?.terminated
    // The kubelet says so where the program is not in the image.
    if (ended !== undefined && (ended.reason === 'ContainerCannotRun' || ended.reason === 'StartError'))
      return kubeErrors['pod-image'](`${each.name}: ${ended.reason}${about(ended.message)}`)
    if (ended !== undefined && ended.exitCode !== 0 && each.name !== container && each.name === 'workspace-in')
      return kubeErrors['pod-workspace'](`${each.name} ended with ${ended.exitCode}${about(ended.message)}`)
  }
  if (status?.phase === 'Failed' && statusOf(pod, container)?.state?.terminated === undefined)
    return kubeErrors['pod-lost'](`${pod.metadata.name} failed${about(status.message ?? status.reason)}`)
  return null
}

/** Why a pod does not run yet, in words. */
export function waitingFor(pod: Pod | null): string {
  if (pod === null) return 'no pod has been made'
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled !== undefined) return unscheduled.message ?? unscheduled.reason ?? 'it is not scheduled'
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const waiting = all.map(({ name, state }) => ({ name, waiting: state?.waiting })).find((each) => each.waiting)
  if (waiting === undefined) return `its phase is ${pod.status?.phase ?? 'unknown'}`
  return `${waiting.name}: ${waiting.waiting?.reason ?? 'waiting'} ${waiting.waiting?.message ?? ''}`.trim()
}

/** The end of a container in the words of processes; null: it has not ended. */
export function endOfContainer(
  pod: Pod,
  container: string,
  about: { readonly wallSeconds: number; readonly cpuSeconds: number | null; readonly mostBytes: number | null },
  memoryLimit: number,
): ProcessEnd | AppError | null {
  const ended = statusOf(pod, container)?.state?.terminated
  if (ended === undefined) return null
  const { exitCode, reason, message = '' } = ended
  const usage = { cpuSeconds: about.cpuSeconds, maxRssBytes: about.mostBytes, wallSeconds: about.wallSeconds }
  const base = { usage, leftovers: 0, survivors: 0, lost: false, breach: null }
  if (reason === 'OOMKilled') {
    const used = Math.max(memoryLimit, about.mostBytes ?? 0)
    return { ...base, exitCode, signal: null, breach: { resource: 'memory', used, limit: memoryLimit } }
  }
  if ((exitCode === 127 || exitCode === 128) && notExecutable.test(message)) return kubeErrors['pod-image'](message)
  const signal = exitCode > 128 ? signalOf(exitCode - 128) : null
  return { ...base, exitCode: signal === null ? exitCode : null, signal }
}
