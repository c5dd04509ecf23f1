import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from '../../../../test/support/when.ts'
import type { TaskId } from '../../../foundation/kernel/ids.ts'
import { makeRepository, rawGit } from '../../../foundation/platform/git/git.fixture.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { testContainers } from '../container/containers.fixture.ts'
import { acpInside } from '../places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { PodmanCluster } from './podman-cluster.fixture.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('an agent that is slow to leave its pod', () => {})
else {
  describe('an agent that is slow to leave its pod', () => {
    let cluster: PodmanCluster
    let kit: RunnerKit
    beforeAll(async () => {
      cluster = await PodmanCluster.start(found)
      kit = new RunnerKit()
      makeRepository(join(kit.folder, 'repository'), { 'README.md': 'hello\n' })
    })
    afterAll(async () => {
      await kit.close()
      await cluster.close()
      found.remove()
      expect(kit.errors).toEqual([])
    })

    it.each(['pod', 'job'] as const)('is ended, and what it made comes back all the same (%s)', async (mode) => {
      const open = cluster.placesFor(kit, { mode })
      const inner = (place: Parameters<typeof acpInside>[1]) => acpInside({ kit, people: new ScriptedPeople() }, place)
      const hosted = {
        registration: { ...registration('pods', 1), kind: 'kubernetes' },
        adapter: createPlacedAdapter({ kind: 'kubernetes', open, inner }),
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      }
      const port = new MemoryExchange([hosted.registration])
      await using runner = kit.runner(port, [hosted], { pollMs: 50, outbox: null })
      const prompt = promptOf({ write: 'made.txt', content: 'yes\n' }, { call: 'linger', with: [] })
      const spec = agentSpec(prompt, { outputs: { text: { from: 'stdout' } }, workspace: 'worktree' })
      const taskId = `tsk_slow_${mode}` as TaskId
      port.enqueue(spec, { taskId, repo: { path: join(kit.folder, 'repository'), commit: null } })
      await expect.poll(() => port.reportOf(taskId), { timeout: 60_000 }).toBeTruthy()
      await runner.drain()
      const report = port.reportOf(taskId)!
      expect(report).toMatchObject({ outcome: 'succeeded', error: null, output: { text: 'here to stay' } })
      const repository = join(kit.folder, 'repository')
      expect(rawGit(repository, 'show', `${report.workspaceCommit}:made.txt`)).toBe('yes')
    })
  })
}
