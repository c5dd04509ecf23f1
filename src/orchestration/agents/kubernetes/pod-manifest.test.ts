import { type IJob, Job } from 'kubernetes-models/batch/v1'
import { type INetworkPolicy, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { type IPod, type ISecret, Pod, Secret } from 'kubernetes-models/v1'
import { expect, expectTypeOf, it } from 'vitest'
import { type KubernetesFile, shapeKubernetes } from '../../../foundation/platform/config/kubernetes-settings.ts'
import { kubeName, labelValue } from './kubernetes-labels.ts'
import {
  jobManifest,
  networkLabel,
  networkPolicyManifest,
  podManifest,
  sandboxClaimManifest,
  secretManifest,
} from './pod-manifest.ts'

const settingsOf = (more: Partial<KubernetesFile> = {}) =>
  shapeKubernetes({ image: 'registry.example/agent:1', ...more })
const labels = { 'leanvibe.dev/task': 'tsk_1' }
const annotations = { 'leanvibe.dev/owner': '{}' }
const request = (more: Partial<KubernetesFile> = {}) => ({
  ...{ name: 'lv-1', settings: settingsOf(more), labels, annotations, home: '/data/workspaces/tsk_1.1', limits: {} },
})
const jobOf = (more: Partial<KubernetesFile> = {}, stdin = false) =>
  jobManifest({
    ...request(more),
    ...{
      argv: ['agent', 'x'],
      workdir: '/data/workspaces/tsk_1.1/tsk_1.1',
      stdin,
      secret: 'lv-1',
      deadlineSeconds: 90,
    },
  })
const everything: Partial<KubernetesFile> = {
  ...{ pullSecrets: ['registry'], runtimeClass: 'gvisor', nodeSelector: { pool: 'agents' }, network: 'gateway' },
  gateway: { pods: { app: 'leanvibe' }, namespace: { name: 'leanvibe' }, port: 7420 },
}

/** Names of fields that a manifest has and its schema does not. */
type Unknown<Given, Known> = Given extends readonly (infer Item)[]
  ? Known extends readonly (infer KnownItem)[]
    ? Unknown<Item, KnownItem>
    : never
  : Given extends object
    ? {
        [Key in keyof Given]-?: Key extends keyof Known
          ? Unknown<NonNullable<Given[Key]>, NonNullable<Known[Key]>>
          : Key
      }[keyof Given]
    : never

it('what is made is what Kubernetes knows: by its schema, and without a field that is not in it', () => {
  for (const more of [{}, everything, { network: 'open', readOnly: false, pull: 'always' } as const]) {
    new Job(jobOf(more, true) as IJob).validate()
    new Pod(podManifest(request(more)) as IPod).validate()
    const policy = networkPolicyManifest(settingsOf(more), 'abc')
    if (policy !== null) new NetworkPolicy(policy as INetworkPolicy).validate()
  }
  new Secret(secretManifest('lv-1', labels, annotations, { KEY: 'value' }) as ISecret).validate()
  expect(() =>
    new Job({ ...jobOf(), spec: { ...jobOf().spec, backoffLimit: 'none' } } as unknown as IJob).validate(),
  ).toThrow()
  expectTypeOf<Unknown<ReturnType<typeof jobManifest>, IJob>>().toEqualTypeOf<never>()
  expectTypeOf<Unknown<ReturnType<typeof podManifest>, IPod>>().toEqualTypeOf<never>()
  expectTypeOf<Unknown<ReturnType<typeof secretManifest>, ISecret>>().toEqualTypeOf<never>()
  expectTypeOf<Unknown<NonNullable<ReturnType<typeof networkPolicyManifest>>, INetworkPolicy>>().toEqualTypeOf<never>()
})

it('nobody in it is root, or may become more than it is', () => {
  const { spec } = jobOf().spec.template
  expect(spec.automountServiceAccountToken).toBe(false)
  expect(spec.securityContext).toMatchObject({
    ...{ runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: 'RuntimeDefault' } },
  })
  for (const { securityContext } of [...spec.containers, ...spec.initContainers])
    expect(securityContext).toEqual({
      ...{ allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ['ALL'] },
    })
  expect(jobOf().spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 90, ttlSecondsAfterFinished: 600 })
})

it('values of variables are in no Job', () => {
  expect(JSON.stringify(jobOf())).not.toContain('s3cret')
  expect(jobOf().spec.template.spec.containers[0]).toMatchObject({ envFrom: [{ secretRef: { name: 'lv-1' } }] })
})

it('limits of the step hold where they are smaller', () => {
  const job = jobManifest({
    ...request({ limits: { cpu: 4 } }),
    ...{ argv: ['x'], workdir: '/', stdin: false, secret: 's', deadlineSeconds: 60 },
    limits: { cpuCores: 0.1, memoryBytes: 2 ** 20 },
  })
  expect(job.spec.template.spec.containers[0]!.resources).toMatchObject({
    ...{ requests: { cpu: '100m', memory: '1048576' }, limits: { cpu: '100m', memory: '1048576' } },
  })
})

it('its network is nothing, the gateway, or nobody else’s business', () => {
  expect(networkPolicyManifest(settingsOf(), 'abc')!.spec).toMatchObject({ ingress: [], egress: [] })
  const gateway = { cidr: '10.0.3.7/32', port: 7420 }
  expect(networkPolicyManifest(settingsOf({ network: 'gateway', gateway }), 'abc')!.spec.egress).toEqual([
    { to: [{ ipBlock: { cidr: '10.0.3.7/32' } }], ports: [{ protocol: 'TCP', port: 7420 }] },
  ])
  expect(networkPolicyManifest(settingsOf(everything), 'abc')!.spec.egress[0]!.to).toEqual([
    { podSelector: { matchLabels: { app: 'leanvibe' } }, namespaceSelector: { matchLabels: { name: 'leanvibe' } } },
  ])
  expect(networkPolicyManifest(settingsOf({ network: 'open' }), 'abc')).toBeNull()
  const labelsOf = [settingsOf(), settingsOf(everything), settingsOf({ network: 'open' })].map(networkLabel)
  expect(labelsOf).toEqual(['none', expect.stringMatching(/^gateway-[0-9a-f]{10}$/), null])
})

it('claims are of the version that the cluster has', () => {
  const [older, newer] = (['v1alpha1', 'v1beta1'] as const).map((version) =>
    sandboxClaimManifest(request({ mode: 'sandbox', template: 'agents' }), version, '2026-11-23T12:00:00Z'),
  )
  expect(older!.spec).toMatchObject({ sandboxTemplateRef: { name: 'agents' } })
  expect(newer!.spec).toMatchObject({ warmPoolRef: { name: 'agents' }, lifecycle: { shutdownPolicy: 'Delete' } })
})

it('names and labels are such as Kubernetes takes', () => {
  expect(kubeName('lv', 'tsk_01ABC', 7)).toBe('lv-tsk-01abc-7')
  const long = [1, 2].map((fence) => kubeName('lv', `task_01.12.${'step-'.repeat(20)}`, fence))
  expect(new Set(long).size).toBe(2)
  for (const name of long) expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/)
  expect(labelValue('run_1/ü:x-')).toBe('run_1___x')
})
