import { mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../../../../test/support/postgres-server.ts'
import { testWhen } from '../../../../test/support/when.ts'
import { isAppError } from '../../kernel/errors.ts'
import { lockFolder } from './folder-lock.ts'
import { makeFolder } from './make-folder.ts'

let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => rm(folder, { recursive: true, force: true }))

test('missing folders are made, for their owner alone, by as many as want them', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  await Promise.all(Array.from({ length: 8 }, () => makeFolder(deep)))
  expect((await stat(deep)).mode & 0o777).toBe(0o700)
  await makeFolder(deep)
  await makeFolder('/')
})

test('a link to a folder is a folder; a file, or a link to nothing, is not', async () => {
  await mkdir(join(folder, 'real'))
  await symlink(join(folder, 'real'), join(folder, 'link'))
  await makeFolder(join(folder, 'link', 'inner'))
  expect((await stat(join(folder, 'real', 'inner'))).isDirectory()).toBe(true)
  await writeFile(join(folder, 'file'), '')
  await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(makeFolder(join(folder, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling'))
  await expect(makeFolder(join(folder, 'dangling'))).rejects.toMatchObject({ code: 'EEXIST' })
})

testWhen(process.platform === 'linux', 'only Linux has /proc')(
  'where no folder can be made, that is said',
  async () => {
    await expect(lockFolder('/proc/leanvibe/data')).rejects.toSatisfy(
      (error) => isAppError(error, 'data-folder-unusable') && error.message.startsWith('/proc/leanvibe/data: '),
    )
  },
)
