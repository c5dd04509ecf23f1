import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  makeRepository,
  plantTraps,
  rawGit,
  temporaryFolder,
  trappedFiles,
} from '../../foundation/platform/git/git.fixture.ts'
import { createGit } from '../../foundation/platform/git/index.ts'
import { type CreateWorkspace, Workspaces } from './index.ts'

let root: ReturnType<typeof temporaryFolder>
let repository: string
let folder: string
let workspaces: Workspaces
let head: string
const git = createGit()

beforeEach(() => {
  root = temporaryFolder('workspaces')
  repository = join(root.path, 'repository')
  folder = join(root.path, 'data', 'workspaces')
  head = makeRepository(repository, { 'a.txt': 'a\n', 'dir/b.txt': 'b\n', '.gitignore': 'ignored\n' })
  workspaces = new Workspaces({ folder, git })
})
afterEach(() => root.remove())

const worktree = (id: string, more: Partial<CreateWorkspace> = {}): CreateWorkspace => ({
  id,
  kind: 'worktree',
  repo: { path: repository, commit: head },
  ...more,
})

/** Everything of the user's that must stay as it is. */
async function userState() {
  return {
    head: await readFile(join(repository, '.git', 'HEAD'), 'utf8'),
    index: (await readFile(join(repository, '.git', 'index'))).toString('base64'),
    indexTime: (await stat(join(repository, '.git', 'index'))).mtimeMs,
    config: await readFile(join(repository, '.git', 'config'), 'utf8'),
    files: (await readdir(repository, { recursive: true })).filter((name) => !name.startsWith('.git/')).sort(),
    branches: rawGit(repository, 'for-each-ref', 'refs/heads', 'refs/tags'),
  }
}

describe('a worktree', () => {
  it('holds the commit, and removing it leaves nothing behind', async () => {
    await writeFile(join(repository, 'a.txt'), 'changed by the user\n')
    await writeFile(join(repository, 'new.txt'), 'new\n')
    const before = await userState()
    const workspace = await workspaces.create(worktree('task_1.7'))
    expect(await readFile(join(workspace.path, 'a.txt'), 'utf8')).toBe('a\n')
    expect(await readdir(workspace.outdir)).toEqual([])
    expect(rawGit(workspace.path, 'status', '--porcelain')).toBe('')
    expect(rawGit(workspace.path, 'rev-parse', 'HEAD')).toBe(head)
    await workspaces.remove(workspace)
    expect(await readdir(folder)).toEqual([])
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
    expect(await userState()).toEqual(before)
  })

  it('starts from the HEAD of the repository where no commit is given, and from a branch where one is asked for', async () => {
    const detached = await workspaces.create(worktree('a', { repo: { path: join(repository, 'dir'), commit: null } }))
    expect(detached.tree?.base).toBe(head)
    expect(() => rawGit(detached.path, 'symbolic-ref', 'HEAD')).toThrow()
    const branched = await workspaces.create(worktree('b', { branch: 'leanvibe/run/step' }))
    expect(rawGit(branched.path, 'symbolic-ref', 'HEAD')).toBe('refs/heads/leanvibe/run/step')
  })

  it('can be made and removed many times at once, by several makers', async () => {
    const makers = [workspaces, new Workspaces({ folder, git }), new Workspaces({ folder, git })]
    const turn = async (index: number) => {
      const maker = makers[index % 3]!
      const early = await maker.create(worktree(`early${index}`))
      await maker.remove(early)
      const made = await maker.create(worktree(`t${index}`))
      expect(await readFile(join(made.path, 'dir/b.txt'), 'utf8')).toBe('b\n')
      await maker.commit(made, { message: 'm', ref: `r/${index}` })
      return made
    }
    const made = await Promise.all(Array.from({ length: 24 }, (_, index) => turn(index)))
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(25)
    await Promise.all(made.map((one, index) => makers[(index + 1) % 3]!.remove(one)))
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
    expect(await readdir(join(repository, '.git'))).not.toContainEqual(expect.stringContaining('leanvibe'))
  })

  it('is refused by name where it cannot be', async () => {
    const empty = join(root.path, 'empty')
    await mkdir(empty)
    rawGit(empty, 'init', '--quiet')
    const refused: [Partial<CreateWorkspace>, string][] = [
      [{ repo: null }, 'workspace-impossible'],
      [{ repo: { path: empty, commit: null } }, 'workspace-impossible'],
      [{ repo: { path: root.path, commit: null } }, 'not-a-repository'],
      [{ repo: { path: join(root.path, 'of another machine'), commit: null } }, 'repository-elsewhere'],
      [{ repo: { path: repository, commit: '0123456789012345678901234567890123456789' } }, 'workspace-failed'],
    ]
    const merge = { kind: 'scratch', needsRepository: true } as const
    refused.push([{ ...merge, repo: { path: join(root.path, 'nowhere'), commit: null } }, 'repository-elsewhere'])
    for (const [more, code] of refused) {
      await expect(workspaces.create(worktree('x', more))).rejects.toMatchObject({ code })
    }
    expect(await readdir(folder).catch(() => [])).toEqual([])
    await expect(workspaces.create(worktree('../x'))).rejects.toThrow('not a name')
  })

  it('runs nothing that the repository plants, when it is made, committed and removed', async () => {
    const hostile = join(root.path, 'hostile')
    const commit = makeRepository(hostile, trappedFiles)
    const traps = plantTraps(hostile, root.path)
    const workspace = await workspaces.create(worktree('h', { repo: { path: hostile, commit } }))
    for (const [name, content] of Object.entries(trappedFiles)) {
      expect(await readFile(join(workspace.path, name), 'utf8')).toBe(content)
      if (name !== '.gitattributes') await writeFile(join(workspace.path, name), 'changed\n')
    }
    await mkdir(join(workspace.path, 'nested'))
    const nested = makeRepository(join(workspace.path, 'nested'), trappedFiles)
    expect(nested).toMatch(/^[0-9a-f]{40}$/)
    plantTraps(join(workspace.path, 'nested'), root.path)
    const result = await workspaces.commit(workspace, { message: 'changed', ref: 'run/h/1' })
    expect(result).toMatchObject({ changed: true, skipped: ['nested/'] })
    await workspaces.remove(workspace)
    expect(traps.sprung()).toEqual([])
  })

  it('removes what the work made unremovable, and follows no links', async () => {
    const workspace = await workspaces.create(worktree('r'))
    await mkdir(join(workspace.path, 'locked/inner'), { recursive: true })
    await writeFile(join(workspace.path, 'locked/inner/file'), 'x')
    await chmod(join(workspace.path, 'locked/inner'), 0)
    await chmod(join(workspace.path, 'locked'), 0o500)
    await symlink(repository, join(workspace.path, 'link'))
    await workspaces.remove(workspace)
    expect(await readdir(folder)).toEqual([])
    expect(await readFile(join(repository, 'a.txt'), 'utf8')).toBe('a\n')
  })
})

describe('the commit of a worktree', () => {
  const commit = { message: 'work', ref: 'run_1/task_1/1' }
  const filesOf = (revision: string) => rawGit(repository, 'ls-tree', '-r', '--name-only', revision).split('\n')

  it('holds what was added, changed, removed, renamed and replaced, and nothing that is ignored', async () => {
    const before = await userState()
    const workspace = await workspaces.create(worktree('c'))
    await writeFile(join(workspace.path, 'odd\n"name"'), 'odd')
    await writeFile(join(workspace.path, 'ignored'), 'x')
    await rm(join(workspace.path, 'a.txt'))
    await mkdir(join(workspace.path, 'a.txt'))
    await writeFile(join(workspace.path, 'a.txt/now-a-folder'), 'x')
    await rename(join(workspace.path, 'dir/b.txt'), join(workspace.path, 'b.txt'))
    await symlink('b.txt', join(workspace.path, 'link'))
    await chmod(join(workspace.path, 'b.txt'), 0o755)
    const result = await workspaces.commit(workspace, commit)
    expect(result).toMatchObject({ changed: true, skipped: [] })
    await workspaces.remove(workspace)
    expect(rawGit(repository, 'rev-parse', 'refs/leanvibe/run_1/task_1/1')).toBe(result!.commit)
    expect(rawGit(repository, 'log', '--format=%an|%s|%P', '-1', result!.commit)).toBe(`LeanVibe|work|${head}`)
    expect(filesOf(result!.commit)).toEqual(['.gitignore', 'a.txt/now-a-folder', 'b.txt', 'link', '"odd\\n\\"name\\""'])
    expect(rawGit(repository, 'ls-tree', result!.commit, 'b.txt', 'link')).toMatch(/100755.*b\.txt\n120000.*link/)
    expect(await userState()).toEqual(before)
  })

  it('builds on what the task committed itself, and is that commit where nothing more was left', async () => {
    const workspace = await workspaces.create(worktree('c'))
    await writeFile(join(workspace.path, 'own'), 'x')
    rawGit(workspace.path, 'add', 'own')
    rawGit(workspace.path, 'commit', '--quiet', '--message=own')
    const own = rawGit(workspace.path, 'rev-parse', 'HEAD')
    expect(await workspaces.commit(workspace, commit)).toEqual({ commit: own, changed: true, skipped: [] })
    await writeFile(join(workspace.path, 'more'), 'x')
    const result = await workspaces.commit(workspace, commit)
    expect(rawGit(repository, 'rev-parse', `${result!.commit}^`)).toBe(own)
  })

  it('is the base, without a name, where nothing was changed', async () => {
    const workspace = await workspaces.create(worktree('c'))
    await writeFile(join(workspace.path, 'a.txt'), 'a\n')
    expect(await workspaces.commit(workspace, commit)).toEqual({ commit: head, changed: false, skipped: [] })
    expect(rawGit(repository, 'for-each-ref', 'refs/leanvibe')).toBe('')
  })

  it('is made though git was killed in the middle, a merge was left open, or HEAD was lost', async () => {
    const workspace = await workspaces.create(worktree('c'))
    rawGit(workspace.path, 'checkout', '--quiet', '-b', 'side')
    await writeFile(join(workspace.path, 'a.txt'), 'side\n')
    rawGit(workspace.path, 'commit', '--quiet', '--all', '--message=side')
    rawGit(workspace.path, 'checkout', '--quiet', '--detach', head)
    await writeFile(join(workspace.path, 'a.txt'), 'here\n')
    rawGit(workspace.path, 'commit', '--quiet', '--all', '--message=here')
    expect(() => rawGit(workspace.path, 'merge', 'side')).toThrow()
    await writeFile(join(workspace.tree!.gitDir, 'index.lock'), '')
    const result = await workspaces.commit(workspace, commit)
    expect(rawGit(repository, 'show', `${result!.commit}:a.txt`)).toContain('<<<<<<<')
    rawGit(workspace.path, 'checkout', '--quiet', '--orphan', 'nothing')
    const orphan = await workspaces.commit(workspace, commit)
    expect(rawGit(repository, 'rev-parse', `${orphan!.commit}^`)).toBe(head)
  })

  it('goes into the right repository though the work replaced the pointer of the worktree', async () => {
    const other = join(root.path, 'other')
    makeRepository(other, { x: 'x' })
    const workspace = await workspaces.create(worktree('c'))
    await writeFile(join(workspace.path, '.git'), `gitdir: ${join(other, '.git')}\n`)
    await writeFile(join(workspace.path, 'new'), 'x')
    const result = await workspaces.commit(workspace, commit)
    expect(filesOf(result!.commit)).toContain('new')
    expect(rawGit(other, 'for-each-ref', 'refs/leanvibe')).toBe('')
    await workspaces.remove(workspace)
    expect(rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
  })
})

it('a scratch folder is empty, has no commit, and goes', async () => {
  const workspace = await workspaces.create({ id: 's', kind: 'scratch', repo: null })
  expect(await readdir(workspace.path)).toEqual([])
  expect(await workspaces.commit(workspace, { message: 'm', ref: 'r' })).toBe(null)
  await workspaces.remove(workspace)
  expect(await readdir(folder)).toEqual([])
})

describe('leftovers', () => {
  /** A process that makes workspaces and then dies, at a failpoint if one is given. */
  async function crash(id: string, failpoints = ''): Promise<void> {
    const script = `
      import { armFailpoints } from '${new URL('../../foundation/kernel/failpoints.ts', import.meta.url).href}'
      import { createGit } from '${new URL('../../foundation/platform/git/index.ts', import.meta.url).href}'
      import { Workspaces } from '${new URL('./index.ts', import.meta.url).href}'
      const [folder, request, failpoints] = process.argv.slice(1)
      if (failpoints) armFailpoints(failpoints)
      const workspaces = new Workspaces({ folder, git: createGit() })
      const workspace = await workspaces.create(JSON.parse(request))
      await workspaces.remove(workspace)
      process.kill(process.pid, 'SIGKILL')
    `
    const args = ['--input-type=module', '-e', script, folder, JSON.stringify(worktree(id)), failpoints]
    const [, signal] = await once(spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit')
    expect(signal).toBe('SIGKILL')
  }

  it.each([
    'workspace.create.before=kill',
    'git.spawn.before=kill@8',
    'git.spawn.after=kill@8',
    'git.spawn.before=kill@10',
    'workspace.create.after=kill',
    'workspace.remove.before=kill',
    'workspace.remove.after=kill',
  ])('of a crash at %s are found and cleaned', async (failpoint) => {
    await crash('crashed', failpoint)
    expect(await workspaces.cleanLeftovers([repository])).toEqual([])
    expect(await workspaces.findLeftovers([repository])).toEqual([])
    expect(await readdir(folder).catch(() => [])).toEqual([])
    await expect.poll(() => rawGit(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
    expect(await readdir(join(repository, '.git', 'worktrees')).catch(() => [])).toEqual([])
  })

  it('of a living process are none', async () => {
    const workspace = await workspaces.create(worktree('mine'))
    expect(await new Workspaces({ folder, git }).cleanLeftovers([repository])).toEqual([])
    expect(await readFile(join(workspace.path, 'a.txt'), 'utf8')).toBe('a\n')
  })

  it('stay as long as processes of the attempt live', async () => {
    await crash('busy', 'workspace.create.after=kill')
    const child: ChildProcess = spawn('sleep', ['100'], { env: { PATH: '/usr/bin:/bin', LEANVIBE_ATTEMPT: 'busy' } })
    try {
      const busy = [{ id: 'busy', path: join(folder, 'busy', 'busy'), processes: [child.pid] }]
      expect(await workspaces.findLeftovers()).toEqual(busy)
      expect(await workspaces.cleanLeftovers()).toMatchObject(busy)
      const mine = await workspaces.create(worktree('other'))
      await expect(workspaces.remove({ ...mine, id: 'busy' })).rejects.toMatchObject({ code: 'workspace-busy' })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    expect(await workspaces.cleanLeftovers()).toEqual([])
    expect(await readdir(folder)).toEqual(['other'])
  })

  it('are what git registers though the data folder was removed, but never the worktrees of others', async () => {
    await workspaces.create(worktree('lost'))
    await rm(join(root.path, 'data'), { recursive: true })
    rawGit(repository, 'worktree', 'add', '--quiet', '--detach', join(root.path, 'theirs'))
    await rm(join(root.path, 'theirs'), { recursive: true })
    expect((await workspaces.findLeftovers([repository])).map((one) => one.id)).toEqual(['lost'])
    expect(await workspaces.cleanLeftovers([repository])).toEqual([])
    expect(await readdir(join(repository, '.git', 'worktrees'))).toEqual(['theirs'])
  })

  it('are what git registers in repositories that were worked on before, without being told which', async () => {
    const repositoriesFile = join(root.path, 'repositories')
    const first = new Workspaces({ folder, git, repositoriesFile })
    await Promise.all([first.create(worktree('lost')), first.create({ id: 's', kind: 'scratch', repo: null })])
    await first.create(worktree('lost-too'))
    expect(await readFile(repositoriesFile, 'utf8')).toBe(`${join(await realpath(repository), '.git')}\n`)
    await rm(join(root.path, 'data'), { recursive: true })
    const next = new Workspaces({ folder, git, repositoriesFile })
    expect((await next.findLeftovers()).map((one) => one.id)).toEqual(['lost', 'lost-too'])
    expect(await next.cleanLeftovers()).toEqual([])
    expect(await readdir(join(repository, '.git', 'worktrees')).catch(() => [])).toEqual([])
    await rm(repository, { recursive: true })
    expect(await next.findLeftovers()).toEqual([])
  })

  it('without a record go when they are old', async () => {
    await mkdir(join(folder, 'halfway'), { recursive: true })
    expect(await workspaces.findLeftovers()).toEqual([])
    const old = new Date(Date.now() - 120_000)
    await utimes(join(folder, 'halfway'), old, old)
    expect(await workspaces.cleanLeftovers()).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })

  it('without a record go at once where nobody else could be making them', async () => {
    await mkdir(join(folder, 'halfway'), { recursive: true })
    expect(await new Workspaces({ folder, git, alone: true }).cleanLeftovers()).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })
})
