import { afterAll, expect, it } from 'vitest'
import { testContainers } from '../src/orchestration/agents/container/containers.fixture.ts'
import { runCli, scratchFolder, startCli } from './support/run-cli.ts'
import { describeWhen } from './support/when.ts'

const scratch = scratchFolder('containers')
afterAll(() => scratch.remove())

it('pools in clusters and containers want an image', async () => {
  const { code, stderr } = await runCli(['agents', 'add', 'kubernetes', '--', 'agent'], { cwd: scratch.path })
  expect(code).not.toBe(0)
  expect(stderr).toContain('kubernetes needs --image')
})

const found = testContainers()
if ('reason' in found) describeWhen(false, found.reason)('a pool in containers', () => {})
else {
  const { image, podman, variable, remove } = found
  afterAll(() => remove())
  const conf = variable('CONTAINERS_CONF')
  const place = { cwd: scratch.path, env: conf === undefined ? {} : { CONTAINERS_CONF: conf } }
  const cli = (...args: string[]) => runCli(args, place)
  const mine = () =>
    podman('ps', '--all', '--quiet', '--filter', `label=dev.leanvibe.pool=journey-${process.pid}`).trim()

  it('does a task; what a crash leaves of it is found and removed', async () => {
    const name = ['--name', `journey-${process.pid}`, '--force', '--']
    const add = (script: string) => cli('agents', 'add', 'container', '--image', image, ...name, 'sh', '-c', script)
    const spawn = ['spawn', '--pool', `journey-${process.pid}`, '--task', 'well done']
    expect(await add('cat; id -u')).toMatchObject({ code: 0 })
    const done = await cli(...spawn)
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('well done') })
    expect(mine()).toBe('')
    expect(await add("trap '' TERM; sleep 1000")).toMatchObject({ code: 0 })
    const crashed = startCli(spawn, place)
    await expect.poll(mine, { timeout: 40_000, interval: 200 }).not.toBe('')
    crashed.child.kill('SIGKILL')
    await crashed.ended
    const leftovers = async (...more: string[]) =>
      /.*leftovers.*/.exec((await cli('doctor', ...more)).stdout)?.[0] ?? ''
    await expect.poll(() => leftovers(), { timeout: 20_000 }).toContain('container')
    await expect.poll(() => leftovers('--fix'), { timeout: 20_000 }).toContain('removed')
    expect(mine()).toBe('')
  })
}
