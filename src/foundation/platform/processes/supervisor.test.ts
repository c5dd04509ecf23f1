import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aliveOf, type ProcessEnd, type StartProcess, Supervisor, systemProcessTable } from './index.ts'

const table = systemProcessTable()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-supervisor-')))
const supervisor = new Supervisor({ folder })
const env = { PATH: '/usr/local/bin:/usr/bin:/bin', GREETING: 'hello' }
let count = 0

beforeAll(() => writeFileSync(join(folder, 'not-executable'), 'x'))
afterAll(async () => {
  await supervisor.close()
  expect(readdirSync(folder)).toEqual(['not-executable'])
  rmSync(folder, { recursive: true })
})

interface Output {
  stdout: string
  stderr: string
}

async function start(file: string, args: readonly string[], more: Partial<StartProcess> = {}) {
  const marker = `test-${process.pid}-${++count}`
  const output: Output = { stdout: '', stderr: '' }
  const running = await supervisor.start({
    marker,
    file,
    args,
    env,
    cwd: folder,
    onStdout: (chunk) => {
      output.stdout += chunk.toString()
    },
    onStderr: (chunk) => {
      output.stderr += chunk.toString()
    },
    ...more,
  })
  return { running, output, marker, alive: () => aliveOf({ marker, main: null }, table) }
}

async function run(
  file: string,
  args: readonly string[],
  more: Partial<StartProcess> = {},
): Promise<ProcessEnd & Output> {
  const { running, output, alive } = await start(file, args, more)
  const end = await running.ended
  expect(alive()).toEqual([])
  return { ...end, ...output }
}

const bash = (script: string, more: Partial<StartProcess> = {}) => run('bash', ['-c', script], more)

describe('a command', () => {
  it('gets its arguments as they are, its folder, its environment and no other', async () => {
    const end = await run('bash', ['-c', 'printf "%s|" "$@"; pwd; env | sort', 'x', 'a b', '$HOME', '`id`', ''])
    const [first, ...variables] = end.stdout.trim().split('\n')
    expect(first).toBe(`a b|$HOME|\`id\`||${folder}`)
    // While coverage is recorded, Node hands its own variable on to every process.
    const names = variables.map((line) => line.split('=')[0]).filter((name) => name !== 'NODE_V8_COVERAGE')
    expect(names).toEqual(['GREETING', 'LEANVIBE_ATTEMPT', 'PATH', 'PWD', 'SHLVL', '_'])
    expect(end).toMatchObject({ exitCode: 0, signal: null, leftovers: 0, survivors: 0, lost: false })
  })

  it('leads a session of its own and has nothing open but its three files', async () => {
    const ids = await bash('ps -o pid=,pgid=,sid= -p $$')
    expect(new Set(ids.stdout.trim().split(/\s+/)).size).toBe(1)
    // The fourth is the folder that ls reads.
    if (platform() === 'linux') expect((await run('ls', ['/proc/self/fd'])).stdout).toBe('0\n1\n2\n3\n')
  })

  it('can open its output again by name', async () => {
    const end = await bash('echo one > /dev/stdout; echo two > /dev/stderr; echo three >> /proc/self/fd/1')
    expect(end).toMatchObject({ stdout: 'one\nthree\n', stderr: 'two\n' })
  })

  it('is told about no input, all input, or a stream', async () => {
    expect((await run('cat', [])).stdout).toBe('')
    const content = 'ü'.repeat(200_000)
    expect((await run('cat', [], { stdin: { content } })).stdout.length).toBe(content.length)
    const { running, output } = await start('cat', [], { stdin: 'pipe' })
    running.stdin!.write('first ')
    running.stdin!.end('second')
    expect((await running.ended).exitCode).toBe(0)
    expect(output.stdout).toBe('first second')
  })

  it('keeps control characters and bytes that are no text', async () => {
    const bytes: Buffer[] = []
    await bash(`printf '\\x1b[31m\\xff\\x00\\r\\n'`, { onStdout: (chunk) => void bytes.push(Buffer.from(chunk)) })
    expect(Buffer.concat(bytes)).toEqual(Buffer.from([0x1b, 0x5b, 0x33, 0x31, 0x6d, 0xff, 0, 13, 10]))
  })

  it('ends by its exit code or its signal', async () => {
    expect(await bash('exit 7')).toMatchObject({ exitCode: 7, signal: null })
    expect(await bash('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV' })
  })
})

describe('a command that cannot be started', () => {
  it.each([
    ['nowhere-to-be-found', {}, 'command-not-found', '"nowhere-to-be-found"'],
    ['/no/such/program', {}, 'command-not-found', '/no/such/program'],
    ['./not-executable', {}, 'command-not-executable', 'EACCES'],
    ['/', {}, 'command-not-executable', 'EACCES'],
    ['true', { cwd: '/no/such/folder' }, 'workdir-missing', '/no/such/folder'],
    ['true', { args: ['a\0b'] }, 'command-invalid', 'null bytes'],
    ['true', { args: ['x'.repeat(3_000_000)] }, 'command-invalid', 'E2BIG'],
  ] as const)('%s is refused by name', async (file, more, code, text) => {
    await expect(start(file, [], more)).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
    expect((await run('echo', ['still here'])).stdout).toBe('still here\n')
  })
})

describe('output', () => {
  it('of a gigabyte neither blocks the command nor grows this process', async () => {
    let bytes = 0
    const before = process.memoryUsage().rss
    let highest = 0
    const { exitCode, usage } = await bash('head -c 1073741824 /dev/zero', {
      onStdout: (chunk) => {
        bytes += chunk.length
        if (bytes % (64 * 1_048_576) < 65_536) highest = Math.max(highest, process.memoryUsage().rss)
      },
    })
    expect([exitCode, bytes]).toEqual([0, 1_073_741_824])
    expect(highest - before).toBeLessThan(64 * 1_048_576)
    expect(usage.cpuSeconds).toBeGreaterThan(0.05)
  })

  it('waits for a taker that is busy', async () => {
    const waiting = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    let taken = 0
    const { running, alive } = await start('head', ['-c', '300000', '/dev/zero'], {
      onStdout: async (chunk) => {
        taken += chunk.length
        waiting.resolve()
        await released.promise
      },
    })
    await waiting.promise
    const first = taken
    expect(first).toBeLessThanOrEqual(65_536)
    expect(alive()).toHaveLength(1)
    released.resolve()
    expect((await running.ended).exitCode).toBe(0)
    expect(taken).toBe(300_000)
  })

  it('that its taker refuses ends in the error of the taker', async () => {
    const { running } = await start('yes', [], {
      onStdout: () => {
        throw new Error('the disk is full')
      },
    })
    await expect(running.ended).rejects.toThrow('the disk is full')
  })

  it('may be closed long before the end', async () => {
    const end = await bash('exec >&- 2>&-; sleep 0.2; exit 3')
    expect(end.exitCode).toBe(3)
    expect(end.usage.wallSeconds).toBeGreaterThan(0.19)
  })
})

describe('an end', () => {
  it('does not wait for a grandchild that holds the pipe, and ends it', async () => {
    const end = await bash('sleep 100 & echo done', { lingerMs: 50 })
    expect(end).toMatchObject({ stdout: 'done\n', exitCode: 0, leftovers: 1, survivors: 0 })
  })

  it('lets a helper finish that needs a moment more', async () => {
    const end = await bash('(sleep 0.1; echo late) & echo early', { lingerMs: 5_000 })
    expect(end).toMatchObject({ stdout: 'early\nlate\n', leftovers: 0 })
  })

  it('takes daemons along that left the group, the session and the tree', async () => {
    const daemon = `setsid bash -c 'setsid bash -c "trap : TERM; while :; do sleep 1; done" & exit' &`
    const end = await bash(`${daemon} sleep 0.1; echo started`, { lingerMs: 50, graceMs: 200 })
    expect(end.leftovers).toBeGreaterThanOrEqual(1)
    expect(end.survivors).toBe(0)
  })

  it('takes a process along that wiped its environment, once it was seen', async () => {
    const end = await bash(`env -i setsid bash -c 'echo $$; sleep 100; :' & sleep 0.5`, { lingerMs: 20 })
    expect(end.leftovers).toBeGreaterThanOrEqual(1)
    expect(table.find(Number(end.stdout))?.zombie ?? true).toBe(true)
  })

  it('comes by SIGTERM, which a command may answer', async () => {
    const { running, output } = await start('bash', [
      '-c',
      'trap "echo bye; exit 9" TERM; echo ready; while :; do sleep 0.01; done',
    ])
    await expect.poll(() => output.stdout).toBe('ready\n')
    running.stop()
    expect(await running.ended).toMatchObject({ exitCode: 9, signal: null })
    expect(output.stdout).toBe('ready\nbye\n')
    running.stop()
  })

  it('comes by SIGKILL to those that ignore SIGTERM, children and the stopped included', async () => {
    const script = 'trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo ready; kill -STOP $$; sleep 100'
    const { running, output, alive } = await start('bash', ['-c', script], { graceMs: 100 })
    await expect.poll(() => output.stdout).toBe('ready\n')
    running.stop()
    expect(await running.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL', survivors: 0 })
    expect(alive()).toEqual([])
  })

  it('catches up with a command that forks faster than it is read', async () => {
    const script =
      'f() { trap "" TERM; while :; do (trap "" TERM; sleep 0.05; f) & sleep 0.02; done; }; ulimit -u 4000; f'
    const { running, alive } = await start('bash', ['-c', `timeout 20 bash -c '${script}'`], { graceMs: 100 })
    await expect.poll(() => alive().length).toBeGreaterThan(5)
    running.stop()
    expect(await running.ended).toMatchObject({ survivors: 0 })
    expect(alive()).toEqual([])
  })
})

it('measures processor time and memory of the whole tree', async () => {
  const loop = 'i=0; while ((i < 150000)); do i=$((i+1)); done'
  const samples: number[] = []
  const end = await bash(`(${loop}) & (${loop}) & wait; sleep 1.2`, {
    onSample: (sample) => samples.push(sample.cpuSeconds),
  })
  expect(end.usage.cpuSeconds).toBeGreaterThan(0.1)
  expect(end.usage.maxRssBytes).toBeGreaterThan(1_048_576)
  expect(samples.length).toBeGreaterThan(0)
})

it('runs many at once', async () => {
  const ends = await Promise.all(Array.from({ length: 100 }, (_, index) => bash(`echo ${index}; exit ${index % 3}`)))
  expect(ends.map((end) => [end.stdout, end.exitCode])).toEqual(ends.map((_, index) => [`${index}\n`, index % 3]))
})
