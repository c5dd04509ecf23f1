import { expect, it } from 'vitest'
import { shapeContainer } from '../../../foundation/platform/config/container-settings.ts'
import type { ProcessEnd } from '../../../foundation/platform/processes/index.ts'
import { containerEnvironment } from './container-environment.ts'
import { runLine } from './container-line.ts'
import { ContainerMeter, parseBytes, parseGoDuration, parseStats } from './container-usage.ts'
import { type EndOfContainer, verdictOf } from './container-verdict.ts'

const cli: ProcessEnd = {
  ...{ exitCode: 125, signal: null, leftovers: 0, survivors: 0, lost: false, breach: null },
  usage: { cpuSeconds: 0.1, maxRssBytes: 1, wallSeconds: 3 },
}
const gone = { status: 'exited', exitCode: 0, oomKilled: false, error: '' }
const end = (more: Partial<EndOfContainer>): EndOfContainer => ({
  ...{ cli, state: gone, said: '', stopped: false, memoryLimit: 100, mostBytes: null, cpuSeconds: null },
  ...more,
})

it.each([
  [{ state: null, said: 'Error: short-name "x" did not resolve to an alias' }, { code: 'container-image-missing' }],
  [
    { state: null, said: 'docker: Cannot connect to the Docker daemon' },
    { code: 'container-failed', retry: 'later' },
  ],
  [
    { state: { ...gone, status: 'created', error: 'exec: "x": executable file not found in $PATH' } },
    { code: 'container-command-missing' },
  ],
  [{ state: { ...gone, exitCode: 3 } }, { exitCode: 3, signal: null, breach: null }],
  [{ state: { ...gone, exitCode: 143 } }, { exitCode: null, signal: 'SIGTERM' }],
  [{ state: { ...gone, exitCode: 137, oomKilled: true } }, { breach: { resource: 'memory', used: 100, limit: 100 } }],
  // Some versions do not tell: then what was last seen of it does.
  [{ state: { ...gone, exitCode: 137 }, mostBytes: 95 }, { breach: { resource: 'memory' } }],
  [
    { state: { ...gone, exitCode: 137 }, mostBytes: 40 },
    { breach: null, signal: 'SIGKILL' },
  ],
  [
    { state: { ...gone, exitCode: 137 }, mostBytes: 95, stopped: true },
    { breach: null, signal: 'SIGKILL' },
  ],
  [{ state: null, stopped: true }, { exitCode: 125 }],
] as const)('%j is %j', (more, expected) => {
  expect(verdictOf(end(more))).toMatchObject(expected)
})

it.each([
  [
    '[{"cpu_time":"1m1.5s","cpu_percent":"98.52%","mem_usage":"614.4kB / 25.28GB"}]',
    { cpuSeconds: 61.5, cores: 0.9852, memoryBytes: 614_400 },
  ],
  ['{"CPUPerc":"150.00%","MemUsage":"1.5MiB / 7GiB"}', { cpuSeconds: null, cores: 1.5, memoryBytes: 1_572_864 }],
  ['[]', null],
  ['no json', null],
])('stats %s', (text, sample) => expect(parseStats(text)).toEqual(sample))

it('sizes and times that nobody writes are none', () => {
  expect([parseBytes('much'), parseGoDuration('long'), parseGoDuration('250ms')]).toEqual([null, null, 0.25])
})

it('CPU time is added up where only shares are told', () => {
  const meter = new ContainerMeter()
  meter.add({ cpuSeconds: null, cores: 1, memoryBytes: 5 }, 1_000)
  meter.add({ cpuSeconds: null, cores: 0.5, memoryBytes: 3 }, 3_000)
  expect([meter.cpuSeconds, meter.mostBytes]).toEqual([1, 5])
})

it('no value of a variable is on the command line; the smaller limit holds', () => {
  const variables = containerEnvironment({ KEY: 's3cret', PEM: 'a\nb', PATH: '/host', LEANVIBE_REPO: '/home/x' })
  expect(variables).toEqual({ file: 'KEY=s3cret\nHOME=/tmp\n', inherited: { PEM: 'a\nb' } })
  const line = runLine({
    ...{
      name: 'n',
      settings: shapeContainer({ image: 'i', readOnly: true }),
      cli: { flavour: 'podman', rootless: true },
    },
    ...{ user: '5:5', file: 'sh', args: ['-c', 'x'], cwd: '/w', interactive: false, labels: { a: 'b' } },
    ...{ folders: [{ from: '/w', to: '/w', write: true, own: true }], envFile: '/e', envNames: ['PEM'] },
    limits: { cpuCores: 1, memoryBytes: 2 ** 20 },
  })
  const text = line.join(' ')
  expect(text).not.toContain('s3cret')
  for (const part of [
    '--network none',
    '--cpus 1',
    '--memory 1048576 --memory-swap 1048576',
    '--cap-drop ALL',
    '--read-only',
  ])
    expect(text).toContain(part)
  expect(text).toContain('--security-opt no-new-privileges')
  expect(text).toContain('--user 5:5 --userns keep-id')
  expect(text).toMatch(/--volume \/w:\/w:rw,Z --label a=b .* --env PEM --entrypoint sh i -c x$/)
  expect(text).not.toContain('privileged=true')
})

it.each([{ LD_PRELOAD: '/x"y' }, { DOCKER_HOST: 'a\nb' }, { 'A=B': 'x' }])('%j is refused', (env) => {
  expect(() => containerEnvironment(env as unknown as Record<string, string>)).toThrow(
    expect.objectContaining({ code: 'container-setup' }),
  )
})
