import { statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from '../../../../test/support/when.ts'
import type { TaskId } from '../../../foundation/kernel/ids.ts'
import type { ContainerFile } from '../../../foundation/platform/config/container-settings.ts'
import { makeRepository, rawGit } from '../../../foundation/platform/git/git.fixture.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, commandSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import type { ResolvedTask } from '../../workflows/task-contract.ts'
import { createCommandAdapter } from '../command-adapter.ts'
import { createPlacedAdapter } from '../places/placed-adapter.ts'
import { findCli, tryClis } from './container-cli.ts'
import { placesFor, type TestContainers, testContainers } from './containers.fixture.ts'
import { findLeftContainers, removeLeftContainers } from './sweep-containers.ts'

const found = testContainers()

if ('reason' in found) describeWhen(false, found.reason)('agents in containers', () => {})
else {
  const containers: TestContainers = found
  describe.concurrent('commands in containers', () => {
    let kit: RunnerKit
    let tasks = 0
    beforeAll(() => {
      kit = new RunnerKit({ KEY: 'pl4nted-s3cret-value', PEM: 'line one\nline "two"\n' })
    })
    afterAll(async () => {
      await kit.close()
      containers.remove()
      expect(kit.errors).toEqual([])
    })

    async function perform(spec: ResolvedTask, more: Partial<ContainerFile> = {}, about = {}, cancelAt?: string) {
      const adapter = createPlacedAdapter({
        kind: 'container',
        open: placesFor(containers, kit, more),
        inner: (place) =>
          createCommandAdapter({
            ...{ supervisor: place, artifacts: kit.artifacts, graceMs: 1_000 },
            agent: { argv: ['sh', '-c', 'cat; echo " in $(pwd)"'], prompt: 'stdin', timeoutMs: null },
          }),
      })
      const hosted = {
        registration: { ...registration('boxed', 1), kind: 'container' },
        adapter,
        env: { PATH: '/no', POOL: 'yes' },
      }
      const port = new MemoryExchange([hosted.registration])
      await using runner = kit.runner(port, [hosted], { pollMs: 50, outbox: null })
      tasks += 1
      const id = `tsk_${tasks}` as TaskId
      port.enqueue(spec, { taskId: id, ...about })
      if (cancelAt !== undefined) {
        await expect.poll(() => kit.logs.text(id), { timeout: 30_000 }).toContain(cancelAt)
        port.cancel(id, 'enough')
      }
      await expect.poll(() => port.reportOf(id), { timeout: 60_000 }).toBeTruthy()
      await runner.drain()
      expect(containers.podman('ps', '-aq', '--filter', `label=dev.leanvibe.task=${id}`)).toBe('')
      return port.reportOf(id)!
    }
    const text = { text: { from: 'stdout' } } as const
    const sh = (script: string, more: Partial<Parameters<typeof commandSpec>[1] & object> = {}) =>
      commandSpec(['sh', '-c', script], { outputs: text, ...more })
    const outputOf = async (...args: Parameters<typeof perform>) => {
      const report = await perform(...args)
      expect(report).toMatchObject({ outcome: 'succeeded', error: null })
      return (report.output as { text: string }).text
    }

    it('take prompts, in a worktree that is theirs alone, and what they leave in it is committed', async () => {
      const repository = join(kit.folder, 'repository')
      makeRepository(repository, { 'README.md': 'hello\n' })
      const about = { repo: { path: repository, commit: null } }
      const report = await perform(agentSpec('work', { outputs: text, workspace: 'worktree' }), {}, about)
      expect((report.output as { text: string }).text).toMatch(/^work in .*\/workspaces\/tsk_1\.\d+\/tsk_1\.\d+$/)
      const made = await perform(sh('cat README.md > made.txt; ls -d .git', { workspace: 'worktree' }), {}, about)
      expect(rawGit(repository, 'show', `${made.workspaceCommit}:made.txt`)).toBe('hello')
    })

    it('are nobody there: no root, no capabilities, nothing to gain, no network, nothing of the host', async () => {
      const script = `id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t'; ls /sys/class/net; test -e ${kit.folder}/outbox.ndjson || echo none`
      const said = await outputOf(sh(script))
      const uid = process.getuid?.() === 0 ? '10001' : String(process.getuid?.())
      expect(said.split('\n')).toEqual([
        ...[uid, 'CapBnd:0000000000000000', 'CapEff:0000000000000000', 'NoNewPrivs:1', 'Seccomp:2'].sort(byScript),
        ...['lo', 'none'],
      ])
      function byScript(a: string, b: string): number {
        const order = [uid, 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp']
        return order.findIndex((each) => a.startsWith(each)) - order.findIndex((each) => b.startsWith(each))
      }
    })

    it('may write the image unless it is read-only; /tmp in any case', async () => {
      const script = 'touch /tmp/a && echo tmp; touch /etc/x 2>&1 | tr -d "\\n"; touch mine && echo mine'
      expect(await outputOf(sh(script), { readOnly: true })).toMatch(/^tmp\n.*Read-only file system.*mine$/s)
    })

    it('get the variables they were given and no others; values are on no command line', async () => {
      const spec = sh('env | grep -E -v "^(HOSTNAME|container|_|SHLVL|PWD)="; echo "$PEM"', {
        ...{ env: { GREETING: 'a "b" c', LD_AUDIT: 'plain' }, secretEnv: { KEY: 'KEY', PEM: 'PEM' } },
      })
      const said = await outputOf(spec)
      expect(said).toContain('GREETING=a "b" c\n')
      expect(said).toContain('KEY=***')
      expect(said).toContain('POOL=yes')
      expect(said).toContain('HOME=/tmp')
      expect(said).not.toContain('PATH=/no')
      expect(said).not.toContain('LEANVIBE_REPO')
      const refused = await perform(sh('true', { env: { LD_PRELOAD: '/x"y' } }))
      expect(refused).toMatchObject({ outcome: 'failed', error: { code: 'container-setup', retry: 'never' } })
    })

    it('are ended with all they started when they are cancelled, by force if they do not listen', async () => {
      const deaf = sh('trap "" TERM; echo begun; sleep 1000 & while :; do sleep 1; done')
      const report = await perform(deaf, {}, {}, 'begun')
      expect(report).toMatchObject({ outcome: 'cancelled', error: { code: 'cancelled', message: 'enough' } })
    })

    it('that take more memory than they may are told so', async () => {
      const greedy = sh('echo begun; head -c 48m /dev/zero | tail -c 48m > /dev/null; tail /dev/zero')
      const report = await perform(greedy, { memory: 64 * 2 ** 20 })
      expect(report.outcome).toBe('failed')
      expect(['limit-exceeded', 'signal']).toContain(report.error!.code)
      expect(report.error!.message).toMatch(/memory|SIGKILL/)
    })

    it('have no more processes than they may', async () => {
      const script = 'for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all'
      expect(await perform(sh(script), { pids: 8 })).toMatchObject({ outcome: 'failed', error: { code: 'exit-code' } })
    })

    it('tell how they ended, and what they used', async () => {
      expect(await perform(sh('echo no >&2; exit 7'))).toMatchObject({
        ...{ outcome: 'failed', error: { code: 'exit-code', exitCode: 7, message: 'exit code 7: no' } },
      })
      expect(await perform(sh('exit 137'))).toMatchObject({
        outcome: 'failed',
        error: { code: 'signal', signal: 'SIGKILL' },
      })
      const busy = await perform(
        sh(
          'end=$(($(date +%s)+2)); while [ $(date +%s) -lt $end ]; do :; done'.replaceAll('date', '/bin/busybox date'),
        ),
      )
      expect(busy.outcome).toBe('succeeded')
      expect(busy.usage.cpuSeconds).toBeGreaterThan(0)
      expect(busy.usage.maxRssBytes).toBeGreaterThan(0)
    })

    it.each([
      [{ image: 'localhost/leanvibe-no-such:1' }, ['true'], 'container-image-missing', 'never'],
      [{}, ['no-such-program'], 'container-command-missing', 'never'],
      [{ network: 'no-such-network' }, ['true'], 'container-failed', 'later'],
    ] as const)('%j: what cannot be is explained', async (more, argv, code, retry) => {
      const report = await perform(commandSpec(argv), more)
      expect(report).toMatchObject({ outcome: 'failed', error: { code, retry } })
      expect(report.error!.message).not.toBe('')
    })

    describe('that may reach models alone', () => {
      let gateway: Server
      const asked: string[] = []
      beforeAll(async () => {
        gateway = createServer((request, response) => {
          asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
          response.end('a model speaks\n')
        })
        await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
      })
      afterAll(() => new Promise((resolve) => gateway.close(resolve)))
      const models = () => {
        const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
        return { OPENAI_BASE_URL: `${url}/v1`, ANTHROPIC_BASE_URL: url }
      }
      const get = (path: string, more = '') => `wget -qO- ${more} "$ANTHROPIC_BASE_URL${path}" 2>&1`

      it('reach them where the variables say, from the first moment on, and nothing else', async () => {
        const script = [
          'echo "$OPENAI_BASE_URL"',
          get('/v1/models', '--header "Authorization: Bearer k"'),
          `${get('/api/v1/runs')} | tail -1`,
          `${get('/v1/../api/v1/runs')} | tail -1`,
          `wget -qO- http://127.0.0.1:${(gateway.address() as AddressInfo).port}/v1/models >/dev/null 2>&1; echo "code $?"`,
          'ls /sys/class/net',
        ].join('; ')
        const said = await outputOf(sh(script, { env: models() }), { network: 'models' })
        expect(said.split('\n')).toEqual([
          'http://127.0.0.1:7420/v1',
          'a model speaks',
          expect.stringContaining('403'),
          expect.stringMatching(/403|404/),
          'code 1',
          'lo',
        ])
        expect(asked).toEqual(['GET /v1/models Bearer k'])
      })

      it('end by themselves', async () => {
        const report = await perform(sh('exit 3', { env: models() }), { network: 'models' })
        expect(report).toMatchObject({ error: { exitCode: 3 } })
      })

      it('end by a cancel', async () => {
        const deaf = sh('echo begun; while :; do sleep 1; done', { env: models() })
        expect(await perform(deaf, { network: 'models' }, {}, 'begun')).toMatchObject({ outcome: 'cancelled' })
      })

      it('never begin where there is no image of theirs', async () => {
        const none = { network: 'models', image: 'localhost/leanvibe-no-such:1' }
        const report = await perform(sh('true', { env: models() }), none)
        expect(report).toMatchObject({ error: { code: 'container-image-missing' } })
      })

      it('are told so where their pool has no models', async () => {
        const report = await perform(sh('true'), { network: 'models' })
        expect(report.error).toMatchObject({ code: 'network-unreachable', message: expect.stringContaining('models') })
      })
    })

    it('leave their folders to who runs us', async () => {
      const report = await perform(sh('echo x > "$LEANVIBE_OUT/kept.txt"; stat -c %u . 2>/dev/null; true'))
      expect(report.artifacts.map(({ name }) => name)).toEqual(['kept.txt'])
      expect(kit.artifacts.blobs.get(report.artifacts[0]!.blob)!.toString()).toBe('x\n')
      expect(statSync(kit.folder).uid).toBe(process.getuid?.())
    })

    it('of a process that is gone are found and removed; those at work stay', async () => {
      const { podman, variable } = containers
      const cli = await findCli('podman', variable)
      const label = (name: string, value: string) => ['--label', `dev.leanvibe.${name}=${value}`]
      const { dataFolderMark, thisProcess } = await import('./container-labels.ts')
      const mark = label('data', dataFolderMark(kit.folder))
      const make = (name: string, owner: object) =>
        podman(
          'run',
          '-d',
          '--network',
          'none',
          '--name',
          name,
          ...mark,
          ...label('owner', JSON.stringify(owner)),
          ...label('task', 'tsk_9'),
          ...label('fence', '4'),
          containers.image,
          'sleep',
          '1000',
        )
      const left = `leanvibe-left-${process.pid}`
      make(left, { ...thisProcess(), start: 'long ago' })
      make(`leanvibe-live-${process.pid}`, thisProcess())
      try {
        expect(await findLeftContainers(cli, kit.folder)).toEqual([{ name: left, task: 'tsk_9', fence: '4' }])
        expect((await removeLeftContainers(cli, kit.folder)).map(({ name }) => name)).toEqual([left])
        expect(await findLeftContainers(cli, kit.folder)).toEqual([])
        expect(podman('ps', '-q', '--filter', `name=leanvibe-live-${process.pid}`)).not.toBe('')
      } finally {
        podman('rm', '-f', '-t', '0', `leanvibe-live-${process.pid}`)
      }
    })

    it('are tried: what works, and why not', async () => {
      const tried = await tryClis(null, containers.variable)
      expect(tried.find(({ name }) => name === 'podman')).toMatchObject({ cli: { flavour: 'podman' }, problem: null })
      await expect(findCli('/no/such/docker', containers.variable)).rejects.toMatchObject({
        code: 'container-cli-missing',
      })
    })
  })
}
