import { describeWhen } from '../../../../test/support/when.ts'
import type { HostedAgent } from '../../runners/hosted-agent.ts'
import { registration } from '../../runners/runner-kit.fixture.ts'
import { acpInside } from '../places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { describeAgentKind, everything } from '../sessions/conformance.fixture.ts'
import { placesFor, testContainers } from './containers.fixture.ts'

const containers = testContainers()

if ('reason' in containers) describeWhen(false, containers.reason)('agents that are talked to in containers', () => {})
else
  describeAgentKind(
    'container',
    everything,
    ({ kit, people }): HostedAgent => ({
      registration: { ...registration('boxed', 1), kind: 'container' },
      adapter: createPlacedAdapter({
        kind: 'container',
        open: placesFor(containers, kit, { mounts: [...containers.node].map(({ from }) => ({ from })) }),
        inner: (place) => acpInside({ kit, people }, place),
      }),
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    }),
    async () => containers.remove(),
  )
