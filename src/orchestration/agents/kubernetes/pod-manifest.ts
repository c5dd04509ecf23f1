import { createHash } from 'node:crypto'
import type { KubernetesSettings } from '../../../foundation/platform/config/kubernetes-settings.ts'

export interface PodRequest {
  readonly name: string
  readonly settings: KubernetesSettings
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The path of the folder that the workspaces are in, the same inside as outside. */
  readonly home: string
  /** Of the step; the smaller holds. */
  readonly limits: { readonly cpuCores?: number; readonly memoryBytes?: number }
}

export interface JobRequest extends PodRequest {
  readonly argv: readonly string[]
  readonly workdir: string
  /** Its standard input is attached to. */
  readonly stdin: boolean
  /** The Secret that holds its variables. */
  readonly secret: string
  readonly deadlineSeconds: number
}

export const controlFolder = '/leanvibe'
/** Waits for a word, lightly: not every `sleep` knows fractions. */
const waitFor = (file: string) => `until [ -e ${controlFolder}/${file} ]; do sleep 0.2 2>/dev/null || sleep 1; done`

/** One attempt as a Job: the workspace is brought in, then the agent runs, then the workspace is fetched. */
export function jobManifest(request: JobRequest) {
  const { name, settings, labels, annotations, deadlineSeconds } = request
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels, annotations },
    spec: {
      // The coordinator decides about further attempts.
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      activeDeadlineSeconds: deadlineSeconds,
      ttlSecondsAfterFinished: Math.ceil(settings.ttlMs / 1_000),
      template: {
        metadata: { labels, annotations },
        spec: {
          ...podBasics(settings),
          restartPolicy: 'Never',
          initContainers: [workspaceContainer(request, 'workspace-in', waitFor('ready'))],
          containers: [
            agentContainer(request),
            workspaceContainer(request, 'workspace', `trap 'exit 0' TERM; ${waitFor('done')}`),
          ],
          volumes: volumes(settings),
        },
      },
    },
  }
}

/** A pod that waits for attempts, which are then started in it one after another. */
export function podManifest(request: PodRequest) {
  const { name, settings, labels, annotations } = request
  const idle = `trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels, annotations },
    spec: {
      ...podBasics(settings),
      restartPolicy: 'Never',
      activeDeadlineSeconds: Math.ceil(settings.deadlineMs / 1_000),
      containers: [
        {
          ...{ name: 'agent', image: settings.image, imagePullPolicy: pullPolicy(settings) },
          command: ['sh', '-c', idle],
          securityContext: securityContext(settings),
          resources: resourcesOf(settings, request.limits),
          volumeMounts: [mountOf(request.home), { name: 'tmp', mountPath: '/tmp' }],
          env: [{ name: 'HOME', value: '/tmp' }],
        },
      ],
      volumes: volumes(settings).filter(({ name: volume }) => volume !== 'control'),
    },
  }
}

/** The variables of an attempt: in no manifest, and gone with its Job. */
export function secretManifest(
  name: string,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, labels, annotations },
    type: 'Opaque',
    immutable: true,
    stringData: values,
  }
}

/** What a pod's network may be, as a label; its NetworkPolicy selects it. Null: no policy is made. */
export function networkLabel({ network, gateway }: KubernetesSettings): string | null {
  if (network === 'open') return null
  if (network === 'none' || gateway === null) return 'none'
  return `gateway-${createHash('sha256').update(JSON.stringify(gateway)).digest('hex').slice(0, 10)}`
}

/** Nothing comes in, and nothing goes out but to the model gateway. One for all pods that are alike. */
export function networkPolicyManifest(settings: KubernetesSettings, instance: string) {
  const label = networkLabel(settings)
  if (label === null) return null
  const { gateway } = settings
  const peer =
    gateway === null || settings.network === 'none'
      ? null
      : gateway.cidr !== null
        ? { ipBlock: { cidr: gateway.cidr } }
        : {
            podSelector: { matchLabels: gateway.pods ?? {} },
            ...(gateway.namespace === null ? {} : { namespaceSelector: { matchLabels: gateway.namespace } }),
          }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: `leanvibe-agents-${instance}-${label}`,
      labels: { 'app.kubernetes.io/managed-by': 'leanvibe', 'leanvibe.dev/instance': instance },
    },
    spec: {
      podSelector: { matchLabels: { 'leanvibe.dev/instance': instance, 'leanvibe.dev/network': label } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: peer === null ? [] : [{ to: [peer], ports: [{ protocol: 'TCP', port: gateway!.port }] }],
    },
  }
}

/** A sandbox of the agent-sandbox controller: claimed from a warm pool (v1beta1), or made of a template (v1alpha1). */
export function sandboxClaimManifest(
  { name, settings, labels, annotations }: PodRequest,
  version: 'v1alpha1' | 'v1beta1',
  shutdownTime: string,
) {
  const source = settings.template ?? ''
  return {
    apiVersion: `extensions.agents.x-k8s.io/${version}`,
    kind: 'SandboxClaim',
    metadata: { name, labels, annotations },
    spec: {
      ...(version === 'v1beta1' ? { warmPoolRef: { name: source } } : { sandboxTemplateRef: { name: source } }),
      lifecycle: { shutdownTime, shutdownPolicy: 'Delete' },
    },
  }
}

function podBasics(settings: KubernetesSettings) {
  return {
    // Without a token, the service account is nobody to the API server.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 5,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: settings.user,
      runAsGroup: settings.user,
      fsGroup: settings.user,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(settings.runtimeClass === null ? {} : { runtimeClassName: settings.runtimeClass }),
    ...(Object.keys(settings.nodeSelector).length === 0 ? {} : { nodeSelector: settings.nodeSelector }),
    ...(settings.pullSecrets.length === 0
      ? {}
      : { imagePullSecrets: settings.pullSecrets.map((secret) => ({ name: secret })) }),
  }
}

function agentContainer({ settings, argv, workdir, stdin, secret, home, limits }: JobRequest) {
  return {
    ...{ name: 'agent', image: settings.image, imagePullPolicy: pullPolicy(settings) },
    command: argv,
    workingDir: workdir,
    ...(stdin ? { stdin: true, stdinOnce: true } : {}),
    envFrom: [{ secretRef: { name: secret } }],
    securityContext: securityContext(settings),
    resources: resourcesOf(settings, limits),
    volumeMounts: [mountOf(home), { name: 'tmp', mountPath: '/tmp' }],
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
}

function workspaceContainer({ settings, home }: JobRequest, name: string, script: string) {
  const small = { cpu: '10m', memory: '64Mi' }
  return {
    ...{ name, image: settings.workspaceImage, imagePullPolicy: pullPolicy(settings) },
    command: ['sh', '-c', script],
    securityContext: { ...securityContext(settings), readOnlyRootFilesystem: true },
    resources: { requests: small, limits: { ...small, cpu: '1', memory: '256Mi' } },
    volumeMounts: [mountOf(home), { name: 'control', mountPath: controlFolder }],
  }
}

function securityContext({ readOnly }: KubernetesSettings) {
  return {
    allowPrivilegeEscalation: false,
    privileged: false,
    readOnlyRootFilesystem: readOnly,
    capabilities: { drop: ['ALL'] },
  }
}

function resourcesOf({ requests, limits }: KubernetesSettings, step: PodRequest['limits']) {
  const cpu = Math.min(limits.cpu, step.cpuCores ?? Number.POSITIVE_INFINITY)
  const memory = Math.min(limits.memoryBytes, step.memoryBytes ?? Number.POSITIVE_INFINITY)
  const cores = (value: number) => `${Math.max(1, Math.round(value * 1_000))}m`
  const bytes = (value: number) => String(Math.floor(value))
  return {
    requests: { cpu: cores(Math.min(requests.cpu, cpu)), memory: bytes(Math.min(requests.memoryBytes, memory)) },
    limits: { cpu: cores(cpu), memory: bytes(memory), 'ephemeral-storage': bytes(limits.diskBytes + 2 ** 30) },
  }
}

function volumes({ limits }: KubernetesSettings) {
  return [
    { name: 'work', emptyDir: { sizeLimit: String(limits.diskBytes) } },
    { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
    { name: 'control', emptyDir: { sizeLimit: '1Mi' } },
  ]
}

function mountOf(home: string) {
  return { name: 'work', mountPath: home }
}

function pullPolicy({ pull }: KubernetesSettings): string {
  return { never: 'Never', missing: 'IfNotPresent', always: 'Always' }[pull]
}
