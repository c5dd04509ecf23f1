import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CommandAgent } from '../../foundation/platform/config/pools.ts'
import { makeRepository, rawGit } from '../../foundation/platform/git/git.fixture.ts'
import { aliveOf, systemProcessTable } from '../../foundation/platform/processes/index.ts'
import type { Assignment, AttemptReport } from '../runners/exchange-contract.ts'
import { MemoryExchange } from '../runners/memory-exchange.fixture.ts'
import type { Runner, RunnerOptions } from '../runners/runner.ts'
import { agentSpec, commandSpec, gateSpec, RunnerKit, scriptSpec } from '../runners/runner-kit.fixture.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'

let kit: RunnerKit
let port: MemoryExchange
let runner: Runner

function begin(agent: CommandAgent | null = null, options: Partial<RunnerOptions> = {}): void {
  const hosted = kit.commandAgent(4, agent)
  port = new MemoryExchange([hosted.registration])
  runner = kit.runner(port, [hosted], { pollMs: 50, ...options })
}

async function perform(spec: ResolvedTask, more: Partial<Assignment> = {}): Promise<AttemptReport> {
  const before = port.accepted.length
  const id = port.enqueue(spec, more)
  await port.settled(before + 1)
  return port.reportOf(id)!
}

beforeEach(() => {
  kit = new RunnerKit({ TOKEN: 's3cret-token-value', EMPTY_NAME: 'x' })
  begin()
})
afterEach(async () => {
  expect(kit.errors).toEqual([])
  await kit.close()
})

describe('a command', () => {
  it('runs without a shell, in a folder of its own, with the listed environment alone', async () => {
    const argv = [
      'bash',
      '-c',
      'printf "%s|" "$@"; ls -A | wc -l; env | cut -d= -f1 | sort | tr "\\n" " "',
      'x',
      '$(id)',
      'a b',
    ]
    const report = await perform(commandSpec(argv, { env: { MINE: 'yes' }, outputs: { text: { from: 'stdout' } } }))
    expect(report).toMatchObject({ outcome: 'succeeded', error: null, workspaceCommit: null, artifacts: [] })
    const [first, second] = (report.output as { text: string }).text.split('\n')
    expect(first).toBe('$(id)|a b|0')
    // While coverage is recorded, Node hands its own variable on to every process.
    const names = second!
      .trim()
      .split(' ')
      .filter((name) => name !== 'NODE_V8_COVERAGE')
    expect(names).toEqual(
      [
        ...[
          'LEANVIBE_ATTEMPT',
          'LEANVIBE_ATTEMPT_NUMBER',
          'LEANVIBE_OUT',
          'LEANVIBE_RUN_ID',
          'LEANVIBE_SPENDING',
          'LEANVIBE_STEP',
        ],
        ...['LEANVIBE_TASK_ID', 'MINE', 'PATH', 'POOL_TOKEN', 'PWD', 'SHLVL', '_'],
      ].sort(),
    )
    expect(report.usage.wallSeconds).toBeGreaterThan(0)
  })

  it('gets its standard input', async () => {
    const report = await perform(commandSpec(['cat'], { stdin: 'ü\nx\n', outputs: { text: { from: 'stdout' } } }))
    expect(report.output).toEqual({ text: 'ü\nx' })
  })

  it.each([
    [['no-such-program'], 'command-not-found', { retry: 'never' }],
    [['/etc/passwd'], 'command-not-executable', { retry: 'never' }],
    [
      ['bash', '-c', 'echo one >&2; echo last words >&2; exit 3'],
      'exit-code',
      { exitCode: 3, message: 'exit code 3: last words' },
    ],
    [['bash', '-c', 'kill -TERM $$'], 'signal', { signal: 'SIGTERM', message: 'ended by SIGTERM', retry: 'later' }],
  ] as const)('%j fails as %s', async (argv, code, more) => {
    const report = await perform(commandSpec(argv))
    expect(report).toMatchObject({ outcome: 'failed', output: null, error: { code, ...more } })
    expect((await perform(commandSpec(['true']))).outcome).toBe('succeeded')
  })

  it('is stopped with everything it started when it takes too long, or is cancelled', async () => {
    const table = systemProcessTable()
    const argv = ['bash', '-c', 'trap "" TERM; setsid sleep 100 & sleep 100 & echo up; while :; do sleep 1; done']
    const late = await perform(commandSpec(argv, { timeoutMs: 300 }))
    expect(late).toMatchObject({ outcome: 'timed-out', error: { code: 'timeout' } })
    const id = port.enqueue(commandSpec(argv))
    await expect.poll(() => kit.logs.text(id)).toBe('up\n')
    port.cancel(id, 'the user said so')
    await port.settled(2)
    expect(port.reportOf(id)).toMatchObject({ outcome: 'cancelled', error: { message: 'the user said so' } })
    for (const report of port.accepted) {
      expect(aliveOf({ marker: `${report.taskId}.${report.fence}`, main: null }, table)).toEqual([])
    }
    expect(runner.active).toBe(0)
  })

  it('counts output and processor time as progress, and silence as none', async () => {
    await kit.close()
    kit = new RunnerKit()
    begin(null, { progressMs: 100 })
    const quiet = port.enqueue(commandSpec(['sleep', '3']))
    const talking = port.enqueue(commandSpec(['bash', '-c', 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done']))
    const busy = port.enqueue(commandSpec(['bash', '-c', 'end=$((SECONDS+3)); while ((SECONDS < end)); do :; done']))
    await port.settled(3)
    const count = (id: string) => port.progress.filter((one) => one.taskId === id).length
    expect(count(talking)).toBeGreaterThanOrEqual(4)
    expect(count(busy)).toBeGreaterThanOrEqual(2)
    expect(count(quiet)).toBeLessThanOrEqual(2)
  })
})

describe('a script', () => {
  it('is read from a file by its interpreter; values reach it as variables, and end at the first error', async () => {
    const script = 'echo "$NAME"; echo a >&2; false; echo never'
    const report = await perform(scriptSpec(script, { env: { NAME: '"; touch /tmp/x; $(id) `id`' } }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'exit-code', exitCode: 1 } })
    expect(kit.logs.text(report.taskId)).toBe('"; touch /tmp/x; $(id) `id`\n')
    expect(kit.logs.text(report.taskId, 'stderr')).toBe('a\n')
  })

  it('may have any interpreter', async () => {
    const script = 'console.log(JSON.stringify({ a: { b: [1, 2] }, argv: process.argv.length }))'
    const outputs = { whole: { from: 'json' }, part: { from: 'json', select: 'a.b' } } as const
    const report = await perform(
      scriptSpec(script, { interpreter: [process.execPath, '--input-type=module', '-'], outputs }),
    )
    expect(report.outcome).toBe('failed')
    const right = await perform(scriptSpec(script, { interpreter: [process.execPath], outputs }))
    expect(right).toMatchObject({
      outcome: 'succeeded',
      output: { whole: { a: { b: [1, 2] }, argv: 2 }, part: [1, 2] },
    })
  })
})

describe('an agent', () => {
  const program = `#!/usr/bin/env bash
    printf 'args:'; printf ' <%s>' "$@"; echo
    printf 'stdin: '; cat; echo
    echo "depth: $LEANVIBE_DEPTH model: $LEANVIBE_CONFIG_MODEL key: \${#LEANVIBE_CONFIG_API_KEY}"
    for file in "$@"; do if [ -f "$file" ]; then echo "file: $(cat "$file")"; fi; done`
  const prompt = 'Fix the "bug" in $HOME; say {depth}\nthen stop'

  async function ask(agent: Omit<CommandAgent, 'timeoutMs' | 'argv'> & { argv: readonly string[] }) {
    await kit.close()
    kit = new RunnerKit({ KEY: 'the-api-key' })
    const path = join(kit.folder, 'agent')
    writeFileSync(path, program)
    chmodSync(path, 0o755)
    begin({ ...agent, argv: [path, ...agent.argv], timeoutMs: null })
    const spec = agentSpec(prompt, {
      config: { model: 'big' },
      secretConfig: { 'api-key': 'KEY' },
      outputs: { text: { from: 'stdout' } },
    })
    const report = await perform(spec)
    expect(report.outcome).toBe('succeeded')
    return (report.output as { text: string }).text
  }

  it('takes its task as an argument', async () => {
    expect(await ask({ argv: ['-p', '{prompt}', '--depth={depth}'], prompt: 'argument' })).toBe(
      `args: <-p> <${prompt}> <--depth=deep>\nstdin: \ndepth: deep model: big key: 11`,
    )
  })

  it('takes its task from standard input', async () => {
    expect(await ask({ argv: ['exec', '-'], prompt: 'stdin' })).toContain(`args: <exec> <->\nstdin: ${prompt}\n`)
  })

  it('takes its task from a file', async () => {
    const text = await ask({ argv: ['--message-file', '{prompt-file}'], prompt: 'file' })
    expect(text).toContain(`file: ${prompt}`)
    expect(text).toContain('stdin: \n')
  })

  it('has no longer than its pool allows', async () => {
    const agent: CommandAgent = { argv: ['sleep', '{prompt}'], prompt: 'argument', timeoutMs: 200 }
    const hosted = { ...kit.commandAgent(1, agent), promptTimeoutMs: agent.timeoutMs }
    port = new MemoryExchange([hosted.registration])
    kit.runner(port, [hosted], { pollMs: 50 })
    expect(await perform(agentSpec('100'))).toMatchObject({
      outcome: 'timed-out',
      error: { message: 'it took longer than 200 ms' },
    })
  })

  it('is refused where the pool takes no prompts', async () => {
    expect(await perform(agentSpec('x'))).toMatchObject({
      outcome: 'failed',
      error: { code: 'agent-mismatch', retry: 'never' },
    })
  })
})

it('a gate runs its commands and says of each whether it passed', async () => {
  const report = await perform(
    gateSpec([
      { name: 'tests', onFail: 'block', argv: ['true'] },
      { name: 'lint', onFail: 'review', argv: ['bash', '-c', 'echo found 3 >&2; exit 2'] },
      { name: 'coverage', onFail: 'block', passed: true },
      { name: 'missing', onFail: 'block', argv: ['no-such-program'] },
    ]),
  )
  expect(report).toMatchObject({
    outcome: 'succeeded',
    output: {
      checks: [
        { name: 'tests', passed: true },
        { name: 'lint', passed: false },
        { name: 'missing', passed: false },
      ],
    },
  })
  expect(kit.logs.text(report.taskId, 'stderr')).toBe(
    'check tests: passed\nfound 3\ncheck lint: failed (exit code 2)\ncheck missing: failed (there is no program "no-such-program")\n',
  )
})

describe('outputs', () => {
  it('are refused with a reason when they are not what was declared', async () => {
    const cases = [
      [['echo', 'no json'], { from: 'json' }, 'output-invalid', 'begins with "no json"'],
      [['echo', '{"a":1}'], { from: 'json', select: 'a.b' }, 'output-invalid', 'the JSON has no a.b'],
      [['true'], { from: 'file', path: 'report.md' }, 'output-missing', '"report.md"'],
      [['ln', '-s', '/etc/passwd', 'report.md'], { from: 'file', path: 'report.md' }, 'output-missing', '"report.md"'],
    ] as const
    for (const [argv, source, code, text] of cases) {
      const report = await perform(commandSpec(argv, { outputs: { it: source } }))
      expect(report).toMatchObject({ outcome: 'failed', error: { code, message: expect.stringContaining(text) } })
    }
  })

  it('travel by value while they are small, and as artifacts when they are large', async () => {
    const argv = ['node', '-e', 'console.log(JSON.stringify({ long: "x".repeat(70000), short: "y" }))']
    const outputs = {
      text: { from: 'stdout' },
      long: { from: 'json', select: 'long' },
      short: { from: 'json', select: 'short' },
    } as const
    const report = await perform(commandSpec(argv, { outputs, env: { PATH: process.env.PATH ?? '' } }))
    expect(report.output).toEqual({
      text: { artifact: 'text.txt', bytes: 70_024, sha256: expect.any(String) },
      long: { artifact: 'long.json', bytes: 70_002, sha256: expect.any(String) },
      short: 'y',
    })
    expect(report.artifacts).toMatchObject([
      { name: 'text.txt', mediaType: 'text/plain', bytes: 70_024 },
      { name: 'long.json', mediaType: 'application/json' },
    ])
    expect(kit.artifacts.blobs.get(report.artifacts[1]!.blob)!.toString()).toBe(JSON.stringify('x'.repeat(70_000)))
  })

  it('are files, by name or by pattern, and whatever lies in the output folder', async () => {
    const script = `mkdir -p a/b; echo 1 > a/one.md; echo 2 > a/b/two.md; echo 3 > three.txt
      ln -s /etc a/out; mkdir "$LEANVIBE_OUT/deep"; echo '{}' > "$LEANVIBE_OUT/deep/x.json"`
    const outputs = {
      one: { from: 'file' as const, path: 'a/one.md' },
      all: { from: 'files' as const, paths: ['**/*.md', 'a/out/*', 'none*'] },
    }
    const report = await perform(scriptSpec(script, { outputs }))
    expect(report.output).toMatchObject({
      one: { artifact: 'a/one.md', bytes: 2 },
      all: [{ artifact: 'a/b/two.md' }, { artifact: 'a/one.md' }],
    })
    expect(report.artifacts.map((artifact) => [artifact.name, artifact.mediaType])).toEqual([
      ['a/one.md', 'text/markdown'],
      ['a/b/two.md', 'text/markdown'],
      ['deep/x.json', 'application/json'],
    ])
  })

  it('hold nothing that a database cannot keep', async () => {
    const report = await perform(
      commandSpec(['printf', '"a\\\\u0000b\\\\ud800"'], { outputs: { x: { from: 'json' } } }),
    )
    expect(report.output).toEqual({ x: 'a\uFFFDb\uFFFD' })
  })

  it('of failed work keep what it put into the output folder', async () => {
    const report = await perform(scriptSpec('echo why > "$LEANVIBE_OUT/why.txt"; exit 1'))
    expect(report).toMatchObject({ outcome: 'failed', artifacts: [{ name: 'why.txt' }] })
  })
})

describe('limits', () => {
  const limited = (script: string, limits: { memoryBytes?: number; diskBytes?: number }) => {
    const resources = { cpuCores: 1, memoryBytes: 1, diskBytes: 1, networkMbps: 1, limits }
    return commandSpec(['bash', '-c', script], { resources })
  }
  const mb = 2 ** 20

  it('end work that uses more memory than its step allows, and say so', async () => {
    const report = await perform(
      limited(`(x=$(head -c ${200 * mb} /dev/zero | tr '\\0' a); sleep 60) & wait`, { memoryBytes: 64 * mb }),
    )
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'limit-exceeded', retry: 'never' } })
    expect(report.error!.message).toMatch(/^it used \d+ MB of memory, 64 MB are allowed$/)
    expect(report.usage.maxRssBytes).toBeGreaterThan(64 * mb)
  })

  it('end work that writes more than its step allows', async () => {
    const script = 'for i in $(seq 600); do head -c 1048576 /dev/zero >> big; sleep 0.1; done'
    const report = await perform(limited(script, { diskBytes: 4 * mb }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'limit-exceeded' } })
    expect(report.error!.message).toMatch(/^it wrote \d+ MB of disk, 4 MB are allowed$/)
  })

  it('are no limits for what stays below; what was written is told', async () => {
    const report = await perform(
      limited(`head -c ${2 * mb} /dev/urandom > file`, { memoryBytes: 512 * mb, diskBytes: 64 * mb }),
    )
    expect(report.outcome).toBe('succeeded')
    expect(report.usage.diskBytes).toBeGreaterThanOrEqual(2 * mb)
  })
})

describe('secrets', () => {
  it('reach the process, and show nowhere else', async () => {
    const script = `
      printf 's3cret-tok'; sleep 0.2; echo 'en-value'; echo "$POOL_TOKEN" >&2
      echo "{\\"it\\":\\"$KEY\\"}" >&2; echo "length \${#KEY}"
      echo "$KEY" >&2; exit 4`
    const secretEnv = { KEY: 'TOKEN' }
    const report = await perform(scriptSpec(script, { secretEnv }))
    expect(kit.logs.text(report.taskId)).toBe('***\nlength 18\n')
    expect(kit.logs.text(report.taskId, 'stderr')).toBe('***\n{"it":"***"}\n***\n')
    expect(report.error).toMatchObject({ code: 'exit-code', message: 'exit code 4: ***' })
    const outputs = { text: { from: 'stdout' }, json: { from: 'json' } } as const
    const printed = await perform(commandSpec(['bash', '-c', 'printf \'"%s"\' "$KEY"'], { secretEnv, outputs }))
    expect(printed.output).toEqual({ text: '"***"', json: '***' })
    const long = ['bash', '-c', 'for ((i = 0; i < 6000; i++)); do echo "$KEY $i"; done']
    const large = await perform(commandSpec(long, { secretEnv, outputs: { text: { from: 'stdout' } } }))
    const blob = kit.artifacts.blobs.get(large.artifacts[0]!.blob)!.toString()
    expect(blob).toMatch(/^\*\*\* 0\n\*\*\* 1\n/)
    expect(blob).not.toContain('s3cret')
    const files = { files: { from: 'files' as const, paths: ['*.txt'] }, one: { from: 'file' as const, path: 'a.txt' } }
    const leak = 'echo "$KEY" > a.txt; echo "b $KEY" > b.txt; echo "c $KEY" > "$LEANVIBE_OUT/c.bin"; echo fine > d.txt'
    const leaked = await perform(scriptSpec(leak, { secretEnv, outputs: files }))
    const kept = leaked.artifacts.map(({ name, blob }) => [name, kit.artifacts.blobs.get(blob)!.toString()])
    expect(Object.fromEntries(kept)).toEqual({
      'a.txt': '***\n',
      'b.txt': 'b ***\n',
      'c.bin': 'c ***\n',
      'd.txt': 'fine\n',
    })
    expect(JSON.stringify(port.accepted)).not.toContain('s3cret')
  })

  it('that are not there fail the task', async () => {
    const report = await perform(commandSpec(['true'], { secretEnv: { KEY: 'UNKNOWN' } }))
    expect(report).toMatchObject({ outcome: 'failed', error: { message: 'no secret UNKNOWN' } })
  })
})

describe('logs', () => {
  it('of a flood keep head and tail', async () => {
    await kit.close()
    kit = new RunnerKit()
    begin(null, { logBytes: 10_000 })
    const report = await perform(
      commandSpec(['bash', '-c', 'echo first; head -c 300000000 /dev/zero | tr "\\0" "a"; echo; echo last']),
    )
    expect(report.outcome).toBe('succeeded')
    const text = kit.logs.text(report.taskId)
    expect(text.startsWith('first\naaa')).toBe(true)
    expect(text.endsWith('aaa\nlast\n')).toBe(true)
    expect(text).toContain('\n[leanvibe: 299990012 bytes left out]\n')
    expect(text.length).toBeLessThan(10_100)
  })

  it('are kept before the end is told, though the store is away for a moment', async () => {
    kit.logs.failures = 2
    const report = await perform(commandSpec(['echo', 'here']))
    expect(kit.logs.text(report.taskId)).toBe('here\n')
  })
})

describe('a worktree', () => {
  let repository: string
  let head: string
  beforeEach(() => {
    repository = join(kit.folder, 'repository')
    mkdirSync(repository)
    head = makeRepository(repository, { 'a.txt': 'a\n' })
  })

  it('is where the work runs; what it leaves is committed, and the worktree is gone', async () => {
    const spec = scriptSpec('git rev-parse HEAD; cat a.txt; echo b > b.txt', {
      workspace: 'worktree',
      outputs: { text: { from: 'stdout' } },
    })
    const report = await perform(spec, { repo: { path: repository, commit: head } })
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: `${head}\na` } })
    expect(rawGit(repository, 'show', `${report.workspaceCommit}:b.txt`)).toBe('b')
    expect(rawGit(repository, 'rev-parse', `refs/leanvibe/run_1/${report.taskId}/1`)).toBe(report.workspaceCommit)
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
    expect(rawGit(repository, 'status', '--porcelain')).toBe('')
  })

  it('that holds a secret when it is committed goes no further, and says so without it', async () => {
    await runner.close()
    begin(null, { artifacts: kit.artifacts })
    const repo = { path: repository, commit: head }
    const spec = (script: string) => scriptSpec(script, { workspace: 'worktree', secretEnv: { KEY: 'TOKEN' } })
    const leaked = await perform(spec('echo "key = $KEY" > k.txt'), { repo })
    expect(leaked).toMatchObject({
      outcome: 'failed',
      output: null,
      error: { code: 'secret-committed', retry: 'never' },
    })
    expect(leaked.error!.message).toContain(`commit ${leaked.workspaceCommit!.slice(0, 12)} adds the value of a secret`)
    expect(JSON.stringify(leaked)).not.toContain('s3cret')
    const fine = await perform(spec('echo fine > k.txt'), { repo })
    expect(fine).toMatchObject({ outcome: 'succeeded', error: null })
    const at = { path: repository, commit: leaked.workspaceCommit! }
    expect(await perform(spec('rm k.txt'), { repo: at })).toMatchObject({ outcome: 'succeeded', error: null })
  })

  it('of failed and of cancelled work is committed too', async () => {
    const repo = { path: repository, commit: head }
    const failed = await perform(scriptSpec('echo b > b.txt; exit 1', { workspace: 'worktree' }), { repo })
    expect(rawGit(repository, 'show', `${failed.workspaceCommit}:b.txt`)).toBe('b')
    const late = await perform(scriptSpec('echo c > c.txt; sleep 100', { workspace: 'worktree', timeoutMs: 500 }), {
      repo,
    })
    expect(late.outcome).toBe('timed-out')
    expect(rawGit(repository, 'show', `${late.workspaceCommit}:c.txt`)).toBe('c')
  })

  it('that cannot be made fails the task by name', async () => {
    const report = await perform(scriptSpec('true', { workspace: 'worktree' }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'workspace-impossible', retry: 'never' } })
    const other = await perform(scriptSpec('true', { workspace: 'worktree' }), {
      repo: { path: kit.folder, commit: null },
    })
    expect(other).toMatchObject({ outcome: 'failed', error: { code: 'not-a-repository' } })
  })
})
