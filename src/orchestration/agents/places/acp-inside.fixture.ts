import { fileURLToPath } from 'node:url'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { unconfined } from '../../../foundation/platform/processes/index.ts'
import { createAcpDriver } from '../acp/acp-driver.ts'
import { createSessionMemory } from '../acp/acp-resume.ts'
import type { AgentAdapter } from '../agent-adapter.ts'
import { createServerSecrets } from '../mcp/server-secrets.ts'
import { openToolHub } from '../mcp/tool-hub.ts'
import type { KindUnderTest } from '../sessions/conformance.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import type { Place } from './place.ts'

const peer = fileURLToPath(new URL('../acp/acp-peer.fixture.ts', import.meta.url))
const secrets = createServerSecrets({ environmentOf: () => ({}), read: async () => '' })

/** The scripted ACP peer of the tests, started in a place. */
export function acpInside({ kit, people }: KindUnderTest, place: Place): AgentAdapter {
  const rules = { permissions: defaultPermissions, askMs: 1_500, silenceMs: null }
  const processes = {
    supervisor: place,
    host: { bubblewrap: null, unshare: null, problem: null },
    rules: unconfined,
  }
  const driver = createAcpDriver({
    settings: {
      ...{ kind: 'acp', argv: [process.execPath, '--no-warnings', peer], mode: null, model: null },
      ...{ auth: null, resume: false, startMs: 45_000 },
    },
    ...{ rules, processes },
    memory: createSessionMemory(`${kit.folder}/sessions`),
    tools: openToolHub({ servers: [], rules, processes, secrets, env: {} }),
  })
  return createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people, cancelGraceMs: 500 })
}
