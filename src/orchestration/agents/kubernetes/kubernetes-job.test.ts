import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from '../../../../test/support/when.ts'
import type { TaskId } from '../../../foundation/kernel/ids.ts'
import type { KubernetesFile } from '../../../foundation/platform/config/kubernetes-settings.ts'
import { makeRepository, rawGit } from '../../../foundation/platform/git/git.fixture.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, commandSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import type { ResolvedTask } from '../../workflows/task-contract.ts'
import { createCommandAdapter } from '../command-adapter.ts'
import { type TestContainers, testContainers } from '../container/containers.fixture.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { PodmanCluster } from './podman-cluster.fixture.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('agents in pods', () => {})
else {
  const containers: TestContainers = found
  let cluster: PodmanCluster

  describe('commands in Jobs', () => {
    let kit: RunnerKit
    let tasks = 0
    beforeAll(async () => {
      cluster = await PodmanCluster.start(containers)
      kit = new RunnerKit({ KEY: 'pl4nted-s3cret-value' })
    })
    afterAll(async () => {
      await kit.close()
      await cluster.close()
      containers.remove()
      expect(kit.errors).toEqual([])
    })

    async function perform(
      spec: ResolvedTask,
      more: Partial<KubernetesFile> = {},
      about = {},
      during: (id: TaskId, port: MemoryExchange) => Promise<void> = async () => {},
    ) {
      const adapter = createPlacedAdapter({
        kind: 'kubernetes',
        open: cluster.placesFor(kit, more),
        inner: (place) =>
          createCommandAdapter({
            ...{ supervisor: place, artifacts: kit.artifacts, graceMs: 1_000 },
            agent: { argv: ['sh', '-c', 'cat; echo " in $(pwd)"'], prompt: 'stdin', timeoutMs: null },
          }),
      })
      const hosted = {
        ...{ registration: { ...registration('pods', 1), kind: 'kubernetes' }, adapter },
        env: { PATH: '/no', POOL: 'yes' },
      }
      const port = new MemoryExchange([hosted.registration])
      await using runner = kit.runner(port, [hosted], { pollMs: 50, outbox: null })
      tasks += 1
      const id = `tsk_${tasks}` as TaskId
      port.enqueue(spec, { taskId: id, ...about })
      await during(id, port)
      await expect.poll(() => port.reportOf(id), { timeout: 60_000 }).toBeTruthy()
      await runner.drain()
      const left = () => cluster.server.store.all().filter((key) => key.includes(`-${id.replace('_', '-')}-`))
      await expect.poll(left, { timeout: 20_000 }).toEqual([])
      return port.reportOf(id)!
    }
    const text = { text: { from: 'stdout' } } as const
    const sh = (script: string, more: Partial<Parameters<typeof commandSpec>[1] & object> = {}) =>
      commandSpec(['sh', '-c', script], { outputs: text, ...more })

    it('work in a worktree that is brought in, and what they make of it is committed here', async () => {
      const repository = join(kit.folder, 'repository')
      makeRepository(repository, { 'README.md': 'hello\n', 'old.txt': 'old\n', 'bin/run': '#!/bin/sh\n' })
      const script =
        'cat README.md > made.txt; rm old.txt; ln -s made.txt link; echo kept > "$LEANVIBE_OUT/kept.txt"; ls -a'
      const report = await perform(
        sh(script, { workspace: 'worktree' }),
        {},
        { repo: { path: repository, commit: null } },
      )
      expect(report).toMatchObject({ outcome: 'succeeded', error: null })
      expect((report.output as { text: string }).text.split('\n')).not.toContain('.git')
      const files = rawGit(repository, 'ls-tree', '-r', '--name-only', report.workspaceCommit!)
      expect(files.split('\n')).toEqual(['README.md', 'bin/run', 'link', 'made.txt'])
      expect(report.artifacts.map(({ name }) => name)).toEqual(['kept.txt'])
      expect(cluster.server.calls.filter((call) => call.includes('/pods/') && call.startsWith('PATCH'))).toEqual([])
    })

    it('take prompts; get their variables by a Secret, and are nobody there', async () => {
      const said = await perform(agentSpec('work', { outputs: text }))
      expect((said.output as { text: string }).text).toMatch(/^work in .*\/workspaces\//)
      const script = `echo "$KEY $POOL $HOME"; id -u; touch /etc/x 2>&1; grep CapEff /proc/self/status; exit 0`
      const report = await perform(sh(script, { secretEnv: { KEY: 'KEY' } }))
      const lines = (report.output as { text: string }).text
      expect(lines).toMatch(/^\*\*\* yes \/tmp\n10001\n.*Read-only file system\nCapEff:\s0+$/)
    })

    it('tell how they ended: by a code, for want of memory, or as a program that is not there', async () => {
      expect(await perform(sh('echo no; exit 7'))).toMatchObject({ error: { code: 'exit-code', exitCode: 7 } })
      const greedy = await perform(sh('tail /dev/zero'), { limits: { memory: 64 * 2 ** 20 } })
      expect(greedy).toMatchObject({ error: { code: 'limit-exceeded', message: expect.stringContaining('of memory') } })
      expect(await perform(commandSpec(['no-such-program']))).toMatchObject({
        error: { code: 'pod-image', retry: 'never' },
      })
    })

    it('are deleted when they are cancelled, with all that belongs to them', async () => {
      const report = await perform(sh('echo begun; sleep 1000'), {}, {}, async (id, port) => {
        await expect.poll(() => kit.logs.text(id), { timeout: 30_000 }).toContain('begun')
        port.cancel(id, 'enough')
      })
      expect(report).toMatchObject({ outcome: 'cancelled', error: { message: 'enough' } })
    })

    it('are followed through a bad day of the API server: lost answers, 429, dropped watches and logs, 410', async () => {
      cluster.server.faults.push(
        { method: 'POST', path: /\/jobs$/, status: 500, after: true, times: 1 },
        { method: 'POST', path: /\/secrets$/, status: 429, headers: { 'retry-after': '1' }, times: 1 },
        { method: 'GET', path: /\/pods$/, status: 503, times: 2 },
      )
      const script = 'for n in 1 2 3 4 5 6 7 8 9 10; do echo "line $n"; sleep 0.3; done'
      const report = await perform(sh(script), {}, {}, async (id) => {
        await expect.poll(() => kit.logs.text(id), { timeout: 30_000 }).toContain('line 2')
        cluster.server.compact()
        expect(cluster.server.dropWatches()).toBeGreaterThan(0)
        expect(cluster.server.dropLogs()).toBeGreaterThan(0)
      })
      expect(report).toMatchObject({ outcome: 'succeeded' })
      const lines = Array.from({ length: 10 }, (_, n) => `line ${n + 1}`)
      expect((report.output as { text: string }).text.split('\n')).toEqual(lines)
    })
  })
}
