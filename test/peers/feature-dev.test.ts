import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { ModelServer, type SeenRequest } from '../support/model-server/index.ts'
import { documentsOf, runCli, scratchFolder, startCli } from '../support/run-cli.ts'
import { codingPeers, peerEnv, peerPool, writeCall } from './coding-peers.ts'
import { peersThere, preparePeers, preparePeersMs } from './peers.ts'

// The whole of feature-dev by two real coding agents: one builds, one reviews. Only what their models say is scripted.

const files = {
  'package.json': `${JSON.stringify({ name: 'sums', private: true, scripts: { test: 'node test.js' } })}\n`,
  'test.js': "for (const file of require('fs').readdirSync('.')) if (file.endsWith('.test.js')) require(`./${file}`)\n",
  'list.txt': 'functions:\n',
}
const plan = {
  note: 'Two functions, side by side.',
  parts: [
    { title: 'add', task: 'Make the function add, and name it in list.txt.', persona: 'backend', paths: ['add*'] },
    { title: 'mul', task: 'Make the function mul, and name it in list.txt.', persona: 'backend', paths: ['mul*'] },
  ],
}
const block = (value: object) => ({ text: `I have looked at it.\n\n\`\`\`json\n${JSON.stringify(value)}\n\`\`\`` })

/** What each request was about, and how often. */
class Script {
  readonly heard: string[] = []
  readonly models = new Set<string>()

  readonly reply = ({ texts, tools, wire }: SeenRequest) => {
    const all = texts.join('\n')
    // Titles of conversations, and the like.
    if (tools.length === 0) return { text: 'A conversation' }
    this.models.add(wire)
    if (all.includes('Plan a change of the repository')) return this.#say('plan', block(plan))
    const name = /Make the function (add|mul)/.exec(all)?.[1]
    if (name === undefined) return { text: 'I do not know what to do.' }
    if (all.includes('Judge a change before it is merged')) {
      const undocumented = name === 'add' && this.#count('review add') === 0
      const changes = { verdict: 'changes', confidence: 0.9, comments: 'add.js:1: say how it is used, in add.md.' }
      return this.#say(
        `review ${name}`,
        block(undocumented ? changes : { verdict: 'approve', confidence: 0.8, comments: '' }),
      )
    }
    const solving = all.includes('does not fit on top of it')
    const round = solving ? 'solve' : all.includes('is handed back') ? 'again' : 'first'
    const task = `${round} ${name}`
    if (all.includes(`// ${task}`)) return { text: `I made ${name}.` }
    const right = name === 'add' ? 'a + b' : 'a * b'
    const formula = name === 'mul' && round === 'first' ? 'a - b' : right
    const write = (file: string, content: string) => writeCall(tools, texts, file, content)
    const entries = solving ? 'add\nmul\n' : `${name}\n`
    return this.#say(task, {
      tools: [
        write(`${name}.js`, `// ${task}\nmodule.exports = (a, b) => ${formula}\n`),
        write(
          `${name}.test.js`,
          `if (require('./${name}.js')(2, 3) !== ${name === 'add' ? 5 : 6}) throw new Error('${name} is wrong')\n`,
        ),
        write('list.txt', `functions:\n${entries}`),
        ...(name === 'add' && round !== 'first' ? [write('add.md', 'Use add(a, b).\n')] : []),
      ],
    })
  }

  #say<T>(what: string, reply: T): T {
    this.heard.push(what)
    return reply
  }

  #count(what: string): number {
    return this.heard.filter((each) => each === what).length
  }
}

describe.skipIf(!peersThere)('feature-dev by real coding agents', () => {
  const scratch = scratchFolder('peer-feature')
  let server: ModelServer
  beforeAll(preparePeers, preparePeersMs)
  beforeAll(async () => {
    server = await ModelServer.start()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    await scratch.remove()
  })

  test('plans, builds in parallel, is handed back by the gate and by a reviewer, asks a person, solves a conflict, and is merged', async () => {
    const home = join(scratch.path, 'home')
    const repository = join(scratch.path, 'repository')
    mkdirSync(home)
    makeRepository(repository, files)
    const own = { opencode: codingPeers.opencode.env(server, home), gemini: codingPeers.gemini.env(server, home) }
    const env = peerEnv(home, { ...own.opencode, ...own.gemini })
    const pools = {
      builder: peerPool(codingPeers.opencode, own.opencode, { agents: 2, capabilities: ['code'] }),
      reader: peerPool(codingPeers.gemini, own.gemini, { agents: 2, capabilities: ['review'] }),
    }
    const cwd = scratch.path
    writeFileSync(join(cwd, 'leanvibe.yaml'), JSON.stringify({ data: join(cwd, 'data'), agents: 4, pools }))
    const script = new Script()
    server.reset([{ reply: script.reply }])
    const args = ['orchestrate', 'feature-dev', '--repo', repository, '--json', '--out', join(cwd, 'out')]
    const run = startCli([...args, '--input', 'task=Sums'], { cwd, env, timeoutMs: 460_000 })
    let ended = false
    const end = run.ended.finally(() => {
      ended = true
    })
    await expect
      .poll(() => ended || run.stdout().includes('"approval.pending"'), { timeout: 400_000, interval: 200 })
      .toBe(true)
    if (!ended) {
      expect(rawGit(repository, 'ls-tree', '--name-only', 'main')).not.toContain('add.js')
      const listed = await runCli(['approvals', 'list', '--json'], { cwd, env })
      const [pending] = documentsOf(listed.stdout) as { id: string; message: string }[]
      expect(pending!.message).toContain('Merge 2 part(s) of "Sums" into main?')
      const approved = await runCli(['approvals', 'approve', pending!.id], { cwd, env })
      expect(approved.code, approved.stderr).toBe(0)
    }
    const { code, stdout, stderr } = await end
    expect(code, `${stderr}\n${stdout.slice(-3_000)}\n${script.heard.join(', ')}`).toBe(0)

    const show = (file: string) => rawGit(repository, 'show', `main:${file}`)
    expect(show('add.js')).toContain('a + b')
    expect(show('mul.js')).toContain('a * b')
    expect(show('add.md')).toBe('Use add(a, b).')
    expect(show('list.txt').split('\n').sort()).toEqual(['add', 'functions:', 'mul'])
    expect(rawGit(repository, 'status', '--porcelain')).toBe('')
    execFileSync('npm', ['test'], { cwd: repository, stdio: 'pipe' })
    const count = (what: string) => script.heard.filter((each) => each === what).length
    expect(['first add', 'first mul', 'again add', 'again mul'].map(count)).toEqual([1, 1, 1, 1])
    expect([count('review add'), count('review mul')]).toEqual([2, 1])
    expect(count('solve add') + count('solve mul')).toBe(1)
    expect([...script.models].sort()).toEqual(['gemini', 'messages'])
    const report = JSON.parse(readFileSync(join(cwd, 'out', 'report.json'), 'utf8')) as object
    expect(report).toMatchObject({ rounds: [2, 2], handedBack: expect.arrayContaining(['conflict', '']) })

    const { run: last } = documentsOf(stdout).at(-1) as { run: { id: string } }
    const told = await runCli(['merges', 'explain', last.id], { cwd, env })
    expect(told.stdout).toMatch(/main has not moved since the work began[\s\S]*list\.txt[\s\S]*merged: main is at/)
  }, 480_000)
})
