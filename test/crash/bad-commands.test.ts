import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { describeWhen } from '../support/when.ts'
import { type Cli, CrashPlace, runIn } from './crash-place.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const place = new CrashPlace('bad')
afterAll(() => place.remove())
const gigabyte = 1_000_000_000
const mebibyte = 1_048_576

function workflow(name: string, steps: string): string {
  writeFileSync(join(place.folder, `${name}.yaml`), `name: ${name}\nsteps:\n${steps}`)
  return `${name}.yaml`
}

/** States and errors of the steps of a run, by their names. */
async function stepsOf(run: string) {
  const { stdout } = await place.cli(['runs', 'show', run]).ended
  const { tasks } = JSON.parse(stdout) as {
    tasks: { step: string; state: string; error: { code: string; message: string } | null }[]
  }
  return Object.fromEntries(tasks.map(({ step, state, error }) => [step, { state, error }]))
}

/** The most memory a process had, in MiB, looked at until it ends. */
async function watchMemory({ child, ended }: Cli): Promise<number> {
  let most = 0
  let over = false
  void ended.then(() => {
    over = true
  })
  while (!over) {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024)
    } catch {
      break
    }
    await sleep(100)
  }
  return most
}

test('each bad command fails its own task with a clear error, and the others go on', async () => {
  const place_ = JSON.stringify(place.folder)
  const file = workflow(
    'bad',
    `  missing: { command: [no-such-program] }
  flood: { command: [bash, -c, 'yes | head -c ${gigabyte}'] }
  deaf: { command: [bash, -c, 'trap "" TERM; while :; do sleep 1; done'], timeout: 1s, env: { PLACE: ${place_} } }
  breeder:
    command: [bash, -c, 'for i in 1 2 3; do setsid sleep 600 & sleep 600 & done; exit 3']
    env: { PLACE: ${place_} }
  killed: { command: [bash, -c, 'kill -SEGV $$'] }
  good: { command: [echo, fine] }
  last: { needs: good, command: [echo, fine too] }
`,
  )
  const usual = await watchMemory(place.cli(['orchestrate', workflow('usual', '  good: { command: [echo, fine] }\n')]))
  const cli = place.cli(['orchestrate', file, '--agents', '3'])
  const memory = (await watchMemory(cli)) - usual
  const { code, stdout } = await cli.ended
  expect(code).toBe(1)
  const run = runIn(stdout)
  expect(await stepsOf(run)).toMatchObject({
    missing: {
      state: 'failed',
      error: { code: 'command-not-found', message: expect.stringContaining('no-such-program') },
    },
    flood: { state: 'succeeded' },
    deaf: { state: 'timed-out', error: { code: 'timeout', message: expect.stringContaining('1000 ms') } },
    breeder: { state: 'failed', error: { code: 'exit-code', message: expect.stringContaining('3') } },
    killed: { state: 'failed', error: { code: 'signal', message: expect.stringContaining('SIGSEGV') } },
    good: { state: 'succeeded' },
    last: { state: 'succeeded' },
  })
  expect(place.processes()).toEqual([])
  const log = (await place.cli(['runs', 'logs', run]).ended).stdout
  console.log(
    'bad commands',
    JSON.stringify({ usualMiB: Math.round(usual), moreMiB: Math.round(memory), logMiB: log.length / mebibyte }),
  )
  // Beside what the database takes in any case.
  expect(memory).toBeLessThan(200)
  // The log is kept up to its limit (10 MiB), and says that there was more.
  expect(log.length).toBeLessThan(60 * mebibyte)
  expect(log).toMatch(/bytes left out\]/)
})

test('without git a call that needs it is refused with what to do, and a task that needs it fails alone', async () => {
  const path = join(place.folder, 'bin')
  mkdirSync(path)
  for (const program of ['node', 'bash', 'sleep', 'echo', 'touch']) {
    const found = execFileSync('sh', ['-c', `command -v ${program === 'echo' ? '/bin/echo' : program}`], {
      encoding: 'utf8',
    })
    execFileSync('ln', ['-s', found.trim(), join(path, program)])
  }
  const file = workflow(
    'gitless',
    `  hold: { command: [bash, -c, 'while [ ! -e ${place.folder}/go ]; do sleep 0.1; done'] }
  tree: { needs: hold, command: [echo, tree], workspace: worktree }
  plain: { needs: hold, command: [echo, plain] }
`,
  )
  const refused = await place.cli(['orchestrate', file, '--repo', place.repo], { env: { PATH: path } }).ended
  expect(refused.code).not.toBe(0)
  expect(JSON.parse(refused.stderr)).toMatchObject({
    error: { code: 'git-missing', next: expect.stringContaining('git') },
  })

  const first = place.cli(['orchestrate', file, '--repo', place.repo])
  await expect.poll(() => first.stdout(), { timeout: 60_000 }).toContain('"task.leased"')
  first.child.kill('SIGKILL')
  await first.ended
  writeFileSync(join(place.folder, 'go'), '')
  const run = runIn(first.stdout())
  const { code } = await place.cli(['orchestrate', '--resume', run], { env: { PATH: path } }).ended
  expect(code).toBe(1)
  expect(await stepsOf(run)).toMatchObject({
    tree: { state: 'failed', error: { code: 'git-missing' } },
    plain: { state: 'succeeded' },
  })
})

const canMount = (() => {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
})()

describeWhen(canMount, 'only root can mount a small disk')('the disk', () => {
  test('that a task fills up fails that task, and the run ends', async () => {
    mkdirSync(place.data, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', place.data])
    try {
      const file = workflow(
        'full',
        `  warm: { command: [echo, warm] }
  hog: { needs: warm, command: [bash, -c, 'head -c 500000000 /dev/zero > here; code=$?; sleep 2; exit $code'] }
  beside: { needs: warm, command: [bash, -c, 'sleep 1; echo beside'], retry: { attempts: 5 } }
  after: { needs: beside, command: [echo, after] }
`,
      )
      const end = await place.cli(['orchestrate', file, '--agents', '3']).ended
      expect(end.code, `${end.stdout.slice(-1_500)} ${end.stderr}`).toBe(1)
      expect(await stepsOf(runIn(end.stdout))).toMatchObject({
        hog: { state: 'failed', error: { code: 'exit-code' } },
        beside: { state: 'succeeded' },
        after: { state: 'succeeded' },
      })
    } finally {
      execFileSync('umount', ['--lazy', place.data])
    }
  })

  test('that is full from the start, or cannot be written, is told with what to do', async () => {
    for (const [options, code] of [
      ['size=8m', 'data-folder-full'],
      ['ro', 'data-folder-unusable'],
    ] as const) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place.data])
      try {
        const end = await place.cli(['orchestrate', 'bad.yaml']).ended
        expect(end.code, end.stderr).toBeGreaterThan(1)
        expect(JSON.parse(end.stderr.trim().split('\n').at(-1)!)).toMatchObject({
          error: { code, next: expect.any(String) },
        })
      } finally {
        execFileSync('umount', ['--lazy', place.data])
      }
    }
  })

  test('of a repository that cannot be written fails the tasks that want a worktree, and no others', async () => {
    execFileSync('mount', ['--bind', place.repo, place.repo])
    execFileSync('mount', ['-o', 'remount,ro,bind', place.repo])
    try {
      const file = workflow(
        'readonly',
        `  tree: { command: [echo, tree], workspace: worktree }
  plain: { command: [bash, -c, 'git -C "$LEANVIBE_REPO" log --oneline'] }
`,
      )
      const end = await place.cli(['orchestrate', file, '--repo', place.repo]).ended
      expect(end.code).toBe(1)
      expect(await stepsOf(runIn(end.stdout))).toMatchObject({
        tree: { state: 'failed', error: { code: 'workspace-failed', message: expect.stringMatching(/read-only/i) } },
        plain: { state: 'succeeded' },
      })
    } finally {
      execFileSync('umount', ['--lazy', place.repo])
    }
  })
})
