import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from '../../../../test/support/when.ts'
import { shapeKubernetes } from '../../../foundation/platform/config/kubernetes-settings.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { type TestContainers, testContainers } from '../container/containers.fixture.ts'
import { acpInside } from '../places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { podManifest } from './pod-manifest.ts'
import { PodmanCluster } from './podman-cluster.fixture.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('agents in claimed sandboxes', () => {})
else {
  const containers: TestContainers = found
  /** Against our own API server, which does what the published contract of agent-sandbox says; not the controller itself. */
  describe('agents in claimed sandboxes', { timeout: 90_000 }, () => {
    let kit: RunnerKit
    let cluster: PodmanCluster
    let count = 0
    beforeAll(async () => {
      kit = new RunnerKit()
      cluster = await PodmanCluster.start(containers)
      const settings = shapeKubernetes({ image: containers.image, mode: 'pod' })
      const home = `${kit.folder}/workspaces`
      const request = { name: 'template', settings, labels: {}, annotations: {}, home, limits: {} }
      cluster.server.sandboxPod = podManifest(request).spec as unknown as Record<string, unknown>
    })
    afterAll(async () => {
      await kit.close()
      await cluster.close()
      containers.remove()
      expect(kit.errors).toEqual([])
    })

    async function perform(...versions: string[]) {
      cluster.server.sandboxVersions = versions
      const open = cluster.placesFor(kit, { mode: 'sandbox', template: 'agents' })
      const inner = (place: Parameters<typeof acpInside>[1]) => acpInside({ kit, people: new ScriptedPeople() }, place)
      count += 1
      const hosted = {
        registration: { ...registration(`pods-${count}`, 1), kind: 'kubernetes' },
        adapter: createPlacedAdapter({ kind: 'kubernetes', open, inner }),
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      }
      const port = new MemoryExchange([hosted.registration])
      const runner = kit.runner(port, [hosted], { pollMs: 50, outbox: null, id: `rnr_sandbox${count}` as never })
      port.enqueue(agentSpec(promptOf({ say: 'from a sandbox' }), { outputs: { text: { from: 'stdout' } } }), {
        taskId: `tsk_sandbox${count}` as never,
      })
      await port.settled(1)
      await runner.close()
      return port.accepted[0]!
    }

    it.each(['v1beta1', 'v1alpha1'])('work in one that is claimed by %s, which goes with the pool', async (version) => {
      expect(await perform(version)).toMatchObject({ outcome: 'succeeded', output: { text: 'from a sandbox' } })
      const claims = `/apis/extensions.agents.x-k8s.io/${version}/namespaces/${cluster.server.access.namespace}/sandboxclaims`
      expect(cluster.server.calls.some((call) => call.includes(`POST ${claims}`))).toBe(true)
    })

    it('are told where the cluster has none', async () => {
      const report = await perform()
      expect(report.error).toMatchObject({
        code: 'kube-config-invalid',
        message: expect.stringContaining('SandboxClaims'),
      })
    })
  })
}
