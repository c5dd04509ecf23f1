import { describeWhen } from '../../../../test/support/when.ts'
import type { HostedAgent } from '../../runners/hosted-agent.ts'
import { registration } from '../../runners/runner-kit.fixture.ts'
import { type TestContainers, testContainers } from '../container/containers.fixture.ts'
import { acpInside } from '../places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { describeAgentKind, everything } from '../sessions/conformance.fixture.ts'
import { PodmanCluster } from './podman-cluster.fixture.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('agents in pods', () => {})
else {
  const containers: TestContainers = found
  let cluster: PodmanCluster

  describeAgentKind(
    'kubernetes (pod)',
    everything,
    async ({ kit, people }): Promise<HostedAgent> => {
      cluster = await PodmanCluster.start(containers)
      return {
        registration: { ...registration('pods', 1), kind: 'kubernetes' },
        adapter: createPlacedAdapter({
          kind: 'kubernetes',
          open: cluster.placesFor(kit, { mode: 'pod' }),
          inner: (place) => acpInside({ kit, people }, place),
        }),
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      }
    },
    () => cluster.close(),
  )
}
