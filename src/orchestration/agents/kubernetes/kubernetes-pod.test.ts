import { describeWhen } from '../../../../test/support/when.ts'
import { type KubernetesFile, shapeKubernetes } from '../../../foundation/platform/config/kubernetes-settings.ts'
import type { HostedAgent } from '../../runners/hosted-agent.ts'
import { type RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { type TestContainers, testContainers } from '../container/containers.fixture.ts'
import { acpInside } from '../places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { describeAgentKind, everything } from '../sessions/conformance.fixture.ts'
import { KubeServer } from './kube-server.fixture.ts'
import { openKubernetes } from './open-kubernetes.ts'
import { PodmanKubelet } from './podman-kubelet.fixture.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('agents in pods', () => {})
else {
  const containers: TestContainers = found
  let server: KubeServer
  let kubelet: PodmanKubelet
  const open: (() => Promise<void>)[] = []
  const begin = async () => {
    server = await new KubeServer().start()
    kubelet = new PodmanKubelet(server, containers)
    server.kubelet = kubelet
  }
  const end = async () => {
    for (const close of open.splice(0)) await close()
    await kubelet.close()
    await server.close()
  }
  const placesFor = (kit: RunnerKit, more: Partial<KubernetesFile>) => {
    const settings = shapeKubernetes({ image: containers.image, workspaceImage: containers.image, ...more })
    const places = openKubernetes({
      ...{ pool: 'pods', settings, dataFolder: kit.folder, sampleMs: 60_000 },
      access: async () => server.access,
    })
    open.push(places.close)
    return places.open
  }

  describeAgentKind(
    'kubernetes (pod)',
    everything,
    async ({ kit, people }): Promise<HostedAgent> => {
      await begin()
      return {
        registration: { ...registration('pods', 1), kind: 'kubernetes' },
        adapter: createPlacedAdapter({
          kind: 'kubernetes',
          open: placesFor(kit, { mode: 'pod' }),
          inner: (place) => acpInside({ kit, people }, place),
        }),
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      }
    },
    end,
  )
}
