import { z } from '../../kernel/schema.ts'
import { durationSchema, sizeSchema } from './config-units.ts'

const label = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, 'expected a name of Kubernetes')
const key = z.string().regex(/^[\w./-]{1,253}$/)
const value = z.string().regex(/^[\w.-]{0,63}$/)
const image = z.string().regex(/^[a-zA-Z0-9][^\s\0]{0,499}$/, 'expected the name of an image')

/** Settings of agents that run in pods of a Kubernetes cluster. */
export const kubernetesSchema = z.strictObject({
  /** Where everything is that the agent needs, and a shell. */
  image,
  /**
   * `job`: a Job for each attempt. `pod`: a pod for each agent, which does one attempt after another. `sandbox`: like
   * `pod`, claimed from the agent-sandbox controller. Default `job`.
   */
  mode: z.enum(['job', 'pod', 'sandbox']).optional(),
  /** Path of a kubeconfig. Default: $KUBECONFIG, ~/.kube/config, or the service account of the pod that we are in. */
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).max(253).optional(),
  /** Default: that of the context, else `default`. */
  namespace: label.optional(),
  /** Cores and bytes that are reserved. Default: a quarter core, 512MB. */
  requests: z.strictObject({ cpu: z.number().positive().optional(), memory: sizeSchema.optional() }).optional(),
  /** Cores and bytes that it may use, and what its folders may hold. Default: 2 cores, 4GB, 10GB. */
  limits: z
    .strictObject({ cpu: z.number().positive().optional(), memory: sizeSchema.optional(), disk: sizeSchema.optional() })
    .optional(),
  /** `none`: nothing. `gateway`: the model gateway alone. `open`: no NetworkPolicy is made. Default `none`. */
  network: z.enum(['none', 'gateway', 'open']).optional(),
  /** Where the model gateway is, as pods see it: what the NetworkPolicy allows. */
  gateway: z
    .strictObject({
      /** Addresses, such as 10.0.3.7/32. */
      cidr: z.union([z.cidrv4(), z.cidrv6()]).optional(),
      /** Labels of its pods, and of their namespace. */
      pods: z.record(key, value).optional(),
      namespace: z.record(key, value).optional(),
      port: z.int().min(1).max(65_535),
    })
    .optional(),
  /** Nothing of the image can be written. Default true. */
  readOnly: z.boolean().optional(),
  /** Number of the user, not 0. Default 10001. */
  user: z.int().min(1).max(2_147_483_647).optional(),
  /** A further bound on how long a Job may run. Default 6h. */
  deadline: durationSchema.refine((ms) => ms >= 60_000, 'expected at least 1m').optional(),
  /** How long a finished Job may stay if nobody deletes it. Default 10m. */
  ttl: durationSchema.optional(),
  /** How long a pod without work stays (`mode: pod`). Default 10m. */
  idle: durationSchema.optional(),
  /** How long until a pod must run: scheduling and pulling included. Default 5m. */
  start: durationSchema.optional(),
  /** Has `sh` and `tar`; moves the workspace. Default `busybox:1.37`. */
  workspaceImage: image.optional(),
  pull: z.enum(['never', 'missing', 'always']).optional(),
  pullSecrets: z.array(label).max(10).optional(),
  runtimeClass: label.optional(),
  nodeSelector: z.record(key, value).optional(),
  labels: z.record(key, value).optional(),
  /** The SandboxTemplate that `mode: sandbox` claims from. */
  template: label.optional(),
})
export type KubernetesFile = z.output<typeof kubernetesSchema>

export interface GatewayPeer {
  readonly cidr: string | null
  readonly pods: Readonly<Record<string, string>> | null
  readonly namespace: Readonly<Record<string, string>> | null
  readonly port: number
}

export interface KubernetesSettings {
  readonly kind: 'kubernetes'
  readonly image: string
  readonly mode: 'job' | 'pod' | 'sandbox'
  /** Null: looked for where it usually is. */
  readonly kubeconfig: string | null
  readonly context: string | null
  readonly namespace: string | null
  readonly requests: { readonly cpu: number; readonly memoryBytes: number }
  readonly limits: { readonly cpu: number; readonly memoryBytes: number; readonly diskBytes: number }
  readonly network: 'none' | 'gateway' | 'open'
  readonly gateway: GatewayPeer | null
  readonly readOnly: boolean
  readonly user: number
  readonly deadlineMs: number
  readonly ttlMs: number
  readonly idleMs: number
  readonly startMs: number
  readonly workspaceImage: string
  readonly pull: 'never' | 'missing' | 'always'
  readonly pullSecrets: readonly string[]
  readonly runtimeClass: string | null
  readonly nodeSelector: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly template: string | null
}

export function shapeKubernetes(file: KubernetesFile): KubernetesSettings {
  const { gateway, limits, requests } = file
  const limit = { cpu: limits?.cpu ?? 2, memoryBytes: limits?.memory ?? 4 * 2 ** 30 }
  return {
    kind: 'kubernetes',
    image: file.image,
    mode: file.mode ?? 'job',
    kubeconfig: file.kubeconfig ?? null,
    context: file.context ?? null,
    namespace: file.namespace ?? null,
    requests: {
      cpu: Math.min(requests?.cpu ?? 0.25, limit.cpu),
      memoryBytes: Math.min(requests?.memory ?? 512 * 2 ** 20, limit.memoryBytes),
    },
    limits: { ...limit, diskBytes: limits?.disk ?? 10 * 2 ** 30 },
    network: file.network ?? 'none',
    gateway:
      gateway === undefined
        ? null
        : {
            cidr: gateway.cidr ?? null,
            pods: gateway.pods ?? null,
            namespace: gateway.namespace ?? null,
            port: gateway.port,
          },
    readOnly: file.readOnly ?? true,
    user: file.user ?? 10_001,
    deadlineMs: file.deadline ?? 6 * 3_600_000,
    ttlMs: file.ttl ?? 600_000,
    idleMs: file.idle ?? 600_000,
    startMs: file.start ?? 300_000,
    workspaceImage: file.workspaceImage ?? 'busybox:1.37',
    pull: file.pull ?? 'missing',
    pullSecrets: file.pullSecrets ?? [],
    runtimeClass: file.runtimeClass ?? null,
    nodeSelector: file.nodeSelector ?? {},
    labels: file.labels ?? {},
    template: file.template ?? null,
  }
}

/** What contradicts itself in the settings of a pool, by the field it is in. */
export function faultsOfKubernetes(file: KubernetesFile): readonly { readonly field: string; readonly text: string }[] {
  const faults = []
  const { gateway } = file
  if (file.network === 'gateway' && gateway === undefined)
    faults.push({ field: 'network', text: 'network: gateway needs `gateway`: where it is, as pods see it' })
  if (gateway !== undefined && gateway.cidr === undefined && gateway.pods === undefined)
    faults.push({ field: 'gateway', text: 'expected `cidr` or `pods`' })
  if (file.mode === 'sandbox' && file.template === undefined)
    faults.push({ field: 'template', text: 'mode: sandbox needs the name of a SandboxTemplate' })
  return faults
}
