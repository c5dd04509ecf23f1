import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { sessionErrors } from './session-errors.ts'

/** Lets an agent at the files of its worktree and at no others, whatever paths and links say. */
export interface PathGuard {
  /** The real path of what `path` means, which need not exist. @throws path-outside */
  inside(path: string): Promise<string>
  /** @throws path-outside; errors of the file system as they are */
  openToRead(path: string): Promise<FileHandle>
  /** Makes missing folders; the file is empty then. @throws path-outside */
  openToWrite(path: string): Promise<FileHandle>
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants

/** @param further folders besides the worktree */
export async function createPathGuard(worktree: string, further: readonly string[] = []): Promise<PathGuard> {
  const roots = await Promise.all([worktree, ...further].map((folder) => realpath(folder)))
  const top = roots[0]!

  function check(real: string, path: string): string {
    const root = roots.find((folder) => real === folder || real.startsWith(folder + sep))
    if (root === undefined) throw sessionErrors['path-outside'](`${path} is outside the worktree`)
    if (real.slice(root.length).split(sep).includes('.git')) {
      throw sessionErrors['path-outside'](`${path} belongs to git`)
    }
    return real
  }

  async function inside(path: string): Promise<string> {
    if (path.includes('\0')) throw sessionErrors['path-outside']('the path has a NUL in it')
    const wanted = resolve(top, path)
    return check(await realOf(wanted, path), path)
  }

  /** The handle tells what was really opened, also when a link was put in the way between two looks. */
  async function verified(handle: FileHandle, path: string): Promise<FileHandle> {
    try {
      if (process.platform === 'linux') check(await readlink(`/proc/self/fd/${handle.fd}`), path)
      if (!(await handle.stat()).isFile()) throw sessionErrors['path-outside'](`${path} is no file`)
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  return {
    inside,
    async openToRead(path) {
      const real = await inside(path)
      return verified(await open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), path)
    },
    async openToWrite(path) {
      const real = await inside(path)
      await mkdir(dirname(real), { recursive: true })
      check(await realpath(dirname(real)), path)
      const handle = await verified(await open(real, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666), path)
      await handle.truncate(0)
      return handle
    },
  }
}

/** Links are followed as far as the path exists; what does not exist yet has none. */
async function realOf(path: string, asked: string): Promise<string> {
  const missing: string[] = []
  for (let at = path; ; at = dirname(at)) {
    try {
      return join(await realpath(at), ...missing)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ELOOP' || (code === 'ENOENT' && (await isLink(at)))) {
        throw sessionErrors['path-outside'](`${asked} is a link that leads nowhere`)
      }
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(at) === at) throw error
      missing.unshift(basename(at))
    }
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() ?? false
}
