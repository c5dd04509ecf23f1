import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { openTestDatabase } from './support/databases.ts'
import { type GuidePart, readGuide } from './support/guide.ts'
import { bin, briefNode, scratchFolder, startCli } from './support/run-cli.ts'

/** Guides whose commands need a PostgreSQL: it is in DATABASE_URL then, and all others have the embedded database. */
const onPostgres: ReadonlySet<string> = new Set(['replicas.md'])
const guides = fileURLToPath(new URL('../docs/guides', import.meta.url))
const scratch = scratchFolder('guides')
afterAll(() => scratch.remove())

/** A folder as the guides promise it: a small git repository, with `leanvibe` on the PATH. */
function prepareFolder(name: string): { readonly cwd: string; readonly env: Record<string, string> } {
  const cwd = join(scratch.path, name, 'project')
  const programs = join(scratch.path, name, 'bin')
  mkdirSync(join(cwd, 'src'), { recursive: true })
  mkdirSync(programs)
  symlinkSync(process.execPath, join(programs, 'node'))
  writeFileSync(
    join(programs, 'leanvibe'),
    `#!/bin/sh\nexec "${process.execPath}" ${briefNode.join(' ')} "${bin}" "$@"\n`,
  )
  chmodSync(join(programs, 'leanvibe'), 0o755)
  writeFileSync(join(cwd, 'README.md'), '# A project\n')
  writeFileSync(join(cwd, 'src', 'main.js'), '// TODO: say more\nconsole.log("hello")\n')
  const env = {
    PATH: `${programs}${delimiter}${process.env.PATH ?? ''}`,
    HOME: join(scratch.path, name),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ann',
    GIT_AUTHOR_EMAIL: 'ann@example.org',
    GIT_COMMITTER_NAME: 'Ann',
    GIT_COMMITTER_EMAIL: 'ann@example.org',
  }
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '.'],
    ['commit', '-q', '-m', 'Begin'],
  ]) {
    execFileSync('git', args, { cwd, env })
  }
  return { cwd, env }
}

function runBlock(part: GuidePart & { kind: 'sh' }, place: ReturnType<typeof prepareFolder>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-eu', '-o', 'pipefail', '-c', part.text], {
      ...place,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const timer = setTimeout(() => endGroup(child.pid!), 240_000)
    child.once('error', reject)
    // What a block leaves in the background ends with it.
    child.once('exit', () => endGroup(child.pid!))
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(output)
      else reject(new Error(`the block at line ${part.line} ended with ${code}:\n${part.text}\n${output}`))
    })
  })
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A server behind the calls of a guide: each is then answered in a fraction of the time that it takes alone. */
async function serve({ cwd, env }: ReturnType<typeof prepareFolder>) {
  const cli = startCli(['serve', '--no-admin-key'], { cwd, env, timeoutMs: 300_000 })
  const ended = cli.ended.then(({ stderr }) => Promise.reject(new Error(`the server ended: ${stderr}`)))
  ended.catch(() => {})
  await Promise.race([once(cli.child.stdout!, 'data'), ended])
  return async () => {
    cli.child.kill('SIGTERM')
    await cli.ended
  }
}

const manyCalls = 3
const count = (text: string, what: RegExp) => text.match(what)?.length ?? 0

/**
 * The parts of a guide in stretches, each with how it is run. Many calls in a row get a server behind them; few are left to
 * be the platform themselves, as a reader's first calls are, and so is what starts a server by itself.
 */
function stretchesOf(
  parts: readonly GuidePart[],
): { readonly parts: readonly GuidePart[]; readonly served: boolean }[] {
  const starts = (part: GuidePart) => part.kind === 'sh' && /^leanvibe serve\b/m.test(part.text)
  // A server reads the configuration once.
  const configures = (part: GuidePart) =>
    part.kind === 'sh' ? /^leanvibe (init|agents add|mcp grant)\b/m.test(part.text) : part.path === 'leanvibe.yaml'
  const stretches: GuidePart[][] = []
  for (const [index, part] of parts.entries()) {
    const before = parts[index - 1]
    const cut = before === undefined || starts(part) || starts(before) || configures(part) || configures(before)
    if (cut) stretches.push([])
    stretches.at(-1)!.push(part)
  }
  return stretches.map((each) => {
    const calls = each.reduce((sum, part) => sum + (part.kind === 'sh' ? count(part.text, /\bleanvibe /g) : 0), 0)
    return { parts: each, served: calls >= manyCalls && !each.some((part) => starts(part) || configures(part)) }
  })
}

async function runPart(part: GuidePart, place: ReturnType<typeof prepareFolder>): Promise<void> {
  if (part.kind === 'sh') await runBlock(part, place)
  else {
    mkdirSync(dirname(join(place.cwd, part.path)), { recursive: true })
    writeFileSync(join(place.cwd, part.path), part.text)
  }
}

const withCommands = readdirSync(guides).filter(
  (name) =>
    name.endsWith('.md') && readGuide(readFileSync(join(guides, name), 'utf8')).some(({ kind }) => kind === 'sh'),
)

// Each in a folder of its own, some at a time: most of a call is the start of its process.
describe.concurrent.each(withCommands)('%s', (name) => {
  test('runs as it is written', { timeout: 600_000 }, async () => {
    const place = prepareFolder(name)
    const database = onPostgres.has(name) ? await openTestDatabase('postgres') : null
    if (database !== null) place.env.DATABASE_URL = database.url!
    try {
      for (const { parts, served } of stretchesOf(readGuide(readFileSync(join(guides, name), 'utf8')))) {
        const stop = served ? await serve(place) : async () => {}
        try {
          for (const part of parts) await runPart(part, place)
        } finally {
          await stop()
        }
      }
    } finally {
      await database?.close()
    }
  })
})

test('a guide is read as it is written', () => {
  const guide =
    'x\n```sh\na\n```\n````md\n```sh\nshown only\n```\n````\n```yaml title=w/f.yaml\nk: v\n```\n```console\n$ shown\n```\n'
  expect(readGuide(guide)).toEqual([
    { kind: 'sh', line: 2, text: 'a\n' },
    { kind: 'file', line: 10, path: 'w/f.yaml', text: 'k: v\n' },
  ])
  expect(() => readGuide('```sh\na\n')).toThrow('line 1')
})
