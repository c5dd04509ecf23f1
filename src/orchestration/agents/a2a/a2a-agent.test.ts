import { type A2aSettings, shapeA2a } from '../../../foundation/platform/config/a2a-settings.ts'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { createAddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { registration } from '../../runners/runner-kit.fixture.ts'
import { createSessionMemory } from '../acp/acp-resume.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createA2aDriver } from './a2a-driver.ts'
import { a2aErrors } from './a2a-errors.ts'
import { type A2aPeer, startA2aPeer } from './a2a-peer.fixture.ts'

const guard = createAddressGuard(['127.0.0.1/32'], {
  url: a2aErrors['a2a-url-refused'],
  address: a2aErrors['a2a-address-refused'],
})
const rules = { permissions: defaultPermissions, askMs: 1_500, silenceMs: null }

function hosted({ kit, people }: KindUnderTest, settings: A2aSettings) {
  const memory = createSessionMemory(`${kit.folder}/sessions`)
  const driver = createA2aDriver({
    settings,
    rules,
    guard,
    readSecret: async () => 'pl4nted-s3cret-value',
    memory,
    push: null,
    breakPauseMs: 20,
  })
  return {
    registration: { ...registration('a2a', 1), kind: 'a2a' },
    adapter: createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people, cancelGraceMs: 500 }),
    env: {},
  }
}

const traits = { ...everything, files: false, processes: false, env: false }

for (const streaming of [true, false]) {
  let peer: A2aPeer
  describeAgentKind(
    streaming ? 'a2a' : 'a2a without streaming',
    { ...traits, protocol: streaming },
    async (test) => {
      peer = await startA2aPeer({ streaming })
      return hosted(test, { ...shapeA2a({ card: peer.url }), pollMs: 50 })
    },
    () => peer.close(),
  )
}
