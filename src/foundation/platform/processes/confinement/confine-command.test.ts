import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository, rawGit } from '../../git/git.fixture.ts'
import { confineCommand } from './confine-command.ts'
import { type Confinement, enforcedBy, type HostConfinement, lackOf, unconfined } from './confinement.ts'
import { detectConfinement } from './detect-confinement.ts'
import { privateFilesIn } from './private-files.ts'

const host = await detectConfinement('/usr/local/bin:/usr/bin:/bin')
const none: HostConfinement = { bubblewrap: null, unshare: null, problem: 'bubblewrap is not installed' }
const all: HostConfinement = { bubblewrap: '/usr/bin/bwrap', unshare: '/usr/bin/unshare', problem: null }
const auto: Confinement = { mode: 'auto', network: 'open', read: [], write: [] }

describe('what rules ask for and hosts can do', () => {
  const command = { file: 'true', args: ['x'], env: {}, cwd: '/', folders: [], git: null }

  it('is told apart', () => {
    expect(enforcedBy(all, unconfined)).toEqual({ files: false, network: false })
    expect(enforcedBy(all, auto)).toEqual({ files: true, network: false })
    expect(enforcedBy(none, { ...auto, network: 'off' })).toEqual({ files: false, network: false })
    expect(enforcedBy({ ...none, unshare: '/usr/bin/unshare' }, { ...auto, network: 'off' })).toEqual({
      ...{ files: false, network: true },
    })
    expect(lackOf(none, auto)).toBeNull()
    expect(lackOf(none, { ...auto, mode: 'required' })).toContain('bubblewrap is not installed')
    expect(lackOf(all, { ...auto, mode: 'required', network: 'off' })).toBeNull()
  })

  it('changes no command where nothing is asked or nothing can be done', () => {
    expect(confineCommand(all, unconfined, command)).toEqual({ file: 'true', args: ['x'] })
    expect(confineCommand(none, { ...auto, network: 'off' }, command)).toEqual({ file: 'true', args: ['x'] })
    const some = { ...none, unshare: '/usr/bin/unshare' }
    expect(confineCommand(some, { ...auto, network: 'off' }, command).args.slice(-3)).toEqual(['--', 'true', 'x'])
  })

  it('other systems have nothing of the kind', async () => {
    expect(await detectConfinement('/usr/bin', 'darwin')).toMatchObject({ bubblewrap: null, unshare: null })
  })
})

describe.skipIf(host.bubblewrap === null)('under bubblewrap', () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-confine-')))
  const repository = join(root, 'repository')
  const worktree = join(root, 'work', 'tree')
  const outdir = join(root, 'work', 'out')
  const home = join(root, 'home')

  beforeAll(() => {
    makeRepository(repository, { 'a.txt': 'one\n' })
    rawGit(repository, 'worktree', 'add', '--quiet', '--detach', worktree)
    mkdirSync(outdir)
    mkdirSync(join(home, '.agent'), { recursive: true })
    writeFileSync(join(home, 'key'), 'private')
    writeFileSync(join(home, '.agent', 'token'), 'mine')
    writeFileSync(join(root, 'elsewhere'), 'of the host')
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  async function run(script: string, rules: Confinement = auto, path = '/usr/local/bin:/usr/bin:/bin', on = host) {
    const env = { PATH: path, HOME: home }
    const gitDir = join(repository, '.git', 'worktrees', 'tree')
    const { file, args } = confineCommand(on, rules, {
      ...{ file: 'bash', args: ['-c', script], env, cwd: worktree, folders: [worktree, outdir] },
      git: { gitDir, commonDir: join(repository, '.git') },
    })
    const { stdout } = await promisify(execFile)(file, [...args], { env, timeout: 20_000 })
    return stdout.trim()
  }

  it('the worktree can be written, and git can be asked about it', async () => {
    expect(await run('echo two > a.txt && git -c safe.directory=* diff --stat | tail -1')).toContain('1 file changed')
    expect(await run(`echo kept > ${outdir}/x && cat ${outdir}/x`)).toBe('kept')
  })

  it('nothing else of the host is there', async () => {
    const script = `cat ${root}/elsewhere ${home}/key 2>&1 | grep -c 'No such file'; ls ${repository}`
    expect(await run(`${script} 2>/dev/null || true`)).toMatch(/^2\n?/)
    expect(await run(`(echo x > ${repository}/.git/config) 2>/dev/null || echo refused`)).toBe('refused')
    expect(await run(`(echo x > ${root}/planted) 2>/dev/null; echo`)).toBe('')
    expect(existsSync(join(root, 'planted'))).toBe(false)
    expect(await run('(cat /etc/shadow | wc -c) 2>/dev/null || echo 0')).toBe('0')
    expect(await run('(echo x > /usr/planted) 2>/dev/null || echo refused')).toBe('refused')
    expect(await run('ls /proc | grep -c "^[0-9]"')).toMatch(/^[1-9]$/)
  })

  it('what the rules name is there: to read, or to write', async () => {
    const rules = { ...auto, read: [join(root, 'elsewhere')], write: [join(home, '.agent'), join(root, 'missing')] }
    const script = `cat ${root}/elsewhere; echo new > ~/.agent/token; (echo x > ${root}/elsewhere) 2>/dev/null || echo no`
    expect(await run(script, rules)).toBe('of the hostno')
    expect(await run('cat ~/.agent/token', rules)).toBe('new')
  })

  it('a data folder is empty but for what belongs to the attempt, also where what lies around it is shown', async () => {
    writeFileSync(join(root, 'work', 'token'), 'of the server')
    const on = { ...host, hidden: [join(root, 'work')] }
    const around = { ...auto, read: [root], write: [home] }
    const script = `cat ${root}/elsewhere; cat ${root}/work/token 2>&1 | grep -c 'No such file'; ls ${root}/work; echo x > ${outdir}/y && cat a.txt`
    expect(await run(script, around, undefined, on)).toMatch(/^of the host1\nout\ntree\n/)
    expect(await run(`cat ${root}/work/token`, around)).toBe('of the server')
    const written = `(echo x > ${root}/work/planted) ; ls ${root}/work`
    await run(written, { ...around, write: [root] }, undefined, on)
    expect(existsSync(join(root, 'work', 'planted'))).toBe(false)
    rmSync(join(root, 'work', 'token'))
  })

  it('data folders of other projects are empty, too, in what is shown and up to four levels below it', async () => {
    for (const folder of ['projects', 'projects/other', 'projects/of/a/team/deep']) {
      mkdirSync(join(root, folder, '.leanvibe'), { recursive: true })
      writeFileSync(join(root, folder, '.leanvibe', 'token'), 'of another')
      writeFileSync(join(root, folder, 'notes'), 'shown ')
    }
    const rules = { ...auto, read: [join(root, 'projects')] }
    const script = `cd ${root}/projects; cat notes other/notes of/a/team/deep/notes; cat .leanvibe/token other/.leanvibe/token of/a/team/deep/.leanvibe/token 2>/dev/null | wc -c`
    expect(await run(script, rules)).toBe('shown shown shown 0')
  })

  it('who is root gets at no setting of the kernel, and at no file of the system that is for root alone', async () => {
    for (const path of ['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/vm/drop_caches'])
      expect(await run(`test -w ${path} && echo open || echo refused`)).toBe('refused')
    mkdirSync(join(root, 'etc', 'inner'), { recursive: true })
    for (const [name, mode] of [
      ['secret', 0o600],
      ['inner/group', 0o640],
      ['inner/all', 0o644],
    ] as const)
      writeFileSync(join(root, 'etc', name), name, { mode })
    const hidden = await privateFilesIn(join(root, 'etc'))
    expect(hidden.toSorted()).toEqual([join(root, 'etc', 'inner', 'group'), join(root, 'etc', 'secret')])
    const script = `cd ${root}/etc; cat inner/all; cat secret inner/group 2>/dev/null | wc -c`
    expect(await run(script, { ...auto, read: [root] }, undefined, { ...host, hidden })).toBe('inner/all0')
    if (process.getuid?.() !== 0) return
    expect(host.hidden).toContain('/etc/shadow')
  })

  it('programs are found behind links, whether they lie in the worktree or elsewhere', async () => {
    const programs = join(root, 'installed', 'bin')
    mkdirSync(programs, { recursive: true })
    writeFileSync(join(programs, 'say'), '#!/bin/sh\necho said\n', { mode: 0o755 })
    for (const link of [join(worktree, 'modules'), join(root, 'linked')]) {
      symlinkSync(join(root, 'installed'), link)
      expect(await run('say', auto, `${join(link, 'bin')}:/usr/bin:/bin`)).toBe('said')
    }
    rmSync(join(worktree, 'modules'))
  })

  it('without network not even this machine can be reached; what it starts ends with it', async () => {
    const server = createServer((socket) => socket.end('reached')).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const script = `(exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3) 2>/dev/null || echo nowhere`
    expect(await run(script)).toBe('reached')
    expect(await run(script, { ...auto, network: 'off' })).toBe('nowhere')
    server.close()
    const from = performance.now()
    await run('setsid sleep 60 >/dev/null 2>&1 & echo started')
    expect(performance.now() - from).toBeLessThan(15_000)
  })
})
