import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { CrashPlace, failuresIn } from './crash-place.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })

const place = new CrashPlace('two')
afterAll(() => place.remove())

/** A run that lasts until its file `NAME.go` is there, and says by which process it was started. */
function workflow(name: string): string {
  const go = join(place.folder, `${name}.go`)
  writeFileSync(
    join(place.folder, `${name}.yaml`),
    `name: ${name}
steps:
  hold:
    script: |
      cut -d ' ' -f 4 /proc/$PPID/stat > "$PLACE/${name}.grandparent"
      while [ ! -e ${go} ]; do sleep 0.05; done
    env: { PLACE: ${place.folder} }
finally:
  tidy: { command: [touch, ${join(place.folder, `${name}.tidied`)}] }
`,
  )
  return `${name}.yaml`
}

const say = (name: string) => writeFileSync(join(place.folder, `${name}.go`), '')
const startedBy = (name: string) => {
  const path = join(place.folder, `${name}.grandparent`)
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
}
const until = (check: () => unknown) => expect.poll(check, { timeout: 90_000, interval: 50 }).toBeTruthy()

test('the second process on a data folder has its run done by the first', async () => {
  const first = place.cli(['orchestrate', workflow('first')])
  await until(() => startedBy('first'))
  const second = place.cli(['orchestrate', workflow('second')])
  await until(() => startedBy('second'))
  expect(startedBy('first')).toBe(first.child.pid)
  expect(startedBy('second')).toBe(first.child.pid)
  say('second')
  const end = await second.ended
  expect(end.code, failuresIn(end)).toBe(0)
  say('first')
  expect((await first.ended).code).toBe(0)
})

test('where the first does not answer, the second is refused with its pid', async () => {
  const first = place.cli(['orchestrate', workflow('frozen')])
  await until(() => startedBy('frozen'))
  first.child.kill('SIGSTOP')
  try {
    const refused = await place.cli(['orchestrate', workflow('late')]).ended
    expect(refused.code).toBeGreaterThan(1)
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: { code: 'server-silent', details: { pid: first.child.pid }, next: expect.any(String) },
    })
  } finally {
    first.child.kill('SIGCONT')
  }
  say('frozen')
  expect((await first.ended).code).toBe(0)
})

async function interrupted(
  name: string,
  signal: 'SIGINT' | 'SIGTERM',
): Promise<{ stdout: string; code: number | null }> {
  const cli = place.cli(['orchestrate', workflow(name)])
  await until(() => startedBy(name))
  cli.child.kill(signal)
  const { code, stdout } = await cli.ended
  expect(place.processes()).toEqual([])
  return { stdout, code }
}

test('Ctrl-C cancels the run with its processes and does what comes finally; SIGTERM leaves it to be resumed', async () => {
  expect(await interrupted('cancelled', 'SIGINT')).toMatchObject({ code: 130 })
  expect(existsSync(join(place.folder, 'cancelled.tidied'))).toBe(true)
  const { stdout, code } = await interrupted('left', 'SIGTERM')
  expect(code).toBe(143)
  expect(existsSync(join(place.folder, 'left.tidied'))).toBe(false)
  say('left')
  // However early the signal came, it is told how to go on.
  const run = /"type":"left","runId":"(run_[a-z0-9]+)"/.exec(stdout)![1]!
  const end = await place.cli(['orchestrate', '--resume', run]).ended
  expect(end.code, failuresIn(end)).toBe(0)
  expect(existsSync(join(place.folder, 'left.tidied'))).toBe(true)
})
