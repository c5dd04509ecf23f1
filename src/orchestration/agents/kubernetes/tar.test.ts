import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { takeOver } from './take-over.ts'
import { packFolder } from './tar-pack.ts'
import { TarUnpacker } from './tar-unpack.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leanvibe-tar-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const roomy = { bytes: 2 ** 30, entries: 10_000 }
const file = () => join(folder, 'archive.tar')

async function pack(from: string, skip?: (path: string) => boolean): Promise<Buffer> {
  const handle = await open(file(), 'w+')
  await packFolder(from, handle, skip)
  await handle.close()
  return readFileSync(file())
}

async function unpack(archive: Buffer, limits = roomy, chunk = 700): Promise<string> {
  const to = mkdtempSync(join(folder, 'out-'))
  const unpacker = new TarUnpacker(to, limits)
  try {
    for (let at = 0; at < archive.length; at += chunk) await unpacker.write(archive.subarray(at, at + chunk))
    await unpacker.end()
  } finally {
    await unpacker.close()
  }
  return to
}

/** Paths with what is there. */
function tree(root: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(root.length + 1)
    if (entry.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`
    else if (entry.isDirectory()) found[name] = 'folder'
    else found[name] = `${(lstatSync(path).mode & 0o111) === 0 ? 'text' : 'program'} ${readFileSync(path, 'latin1')}`
  }
  return found
}

const word = fc.stringMatching(/^[a-zA-Z0-9 ._ü-]{1,60}$/).filter((text) => !/^\.+$/.test(text) && text !== '.')
const path = fc.array(word, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))

it('whatever is packed comes out as it was, in pieces of any size, and tar of the system agrees', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(path, fc.uint8Array({ maxLength: 1_500 }), { maxKeys: 8 }),
      fc.integer({ min: 1, max: 3_000 }),
      async (files, chunk) => {
        const from = mkdtempSync(join(folder, 'in-'))
        for (const [name, content] of Object.entries(files)) {
          try {
            mkdirSync(dirname(join(from, name)), { recursive: true })
            writeFileSync(join(from, name), content)
          } catch {
            // A name that is a folder already, or too long for the disk.
          }
        }
        symlinkSync(`nowhere/${'x'.repeat(chunk % 200)}`, join(from, 'a link'))
        const archive = await pack(from)
        expect(tree(await unpack(archive, roomy, chunk))).toEqual(tree(from))
        const theirs = mkdtempSync(join(folder, 'theirs-'))
        execFileSync('tar', ['-xf', file(), '-C', theirs])
        expect(tree(theirs)).toEqual(tree(from))
        execFileSync('tar', ['-cf', file(), '-C', from, '.'])
        expect(tree(await unpack(readFileSync(file())))).toEqual(tree(from))
      },
    ),
    { numRuns: 25 },
  )
})

it('leaves out what it is told to, and keeps programs programs', async () => {
  const from = join(folder, 'from')
  mkdirSync(join(from, 'tree'), { recursive: true })
  writeFileSync(join(from, 'tree/.git'), 'gitdir: /secret')
  writeFileSync(join(from, 'tree/run'), '#!/bin/sh', { mode: 0o755 })
  const out = await unpack(await pack(from, (name) => name === 'tree/.git'))
  expect(tree(out)).toEqual({ tree: 'folder', 'tree/run': 'program #!/bin/sh' })
})

/** An archive of the system's tar with names as they are. */
function hostile(...args: string[]): Buffer {
  execFileSync('tar', ['-P', '-cf', file(), ...args], { cwd: folder, stdio: 'ignore' })
  return readFileSync(file())
}

it.each([
  ['a path that leads up', () => hostile('--transform', 's,^x,../x,', 'x'), 'leads out of the workspace'],
  ['an absolute path', () => hostile('--transform', 's,^x,/tmp/planted,', 'x'), 'leads out of the workspace'],
  ['a file through a link', () => hostile('--transform', 's,^x,up/x,', 'up', 'x'), 'up is a folder and is none'],
  [
    'a link to a file that is not in it',
    () => hostile('--transform', 's,^x$,y,R', 'x', 'hard'),
    'is a link to no file in it',
  ],
  ['something else', () => Buffer.alloc(2_048, 'x'), 'no tar archive'],
] as const)('refuses %s', async (_, make, message) => {
  writeFileSync(join(folder, 'x'), 'planted')
  symlinkSync('/tmp', join(folder, 'up'))
  execFileSync('ln', [join(folder, 'x'), join(folder, 'hard')])
  const result = unpack(make())
  await expect(result).rejects.toMatchObject({ code: 'pod-workspace', message: expect.stringContaining(message) })
  expect(existsSync('/tmp/planted')).toBe(false)
})

it('ends where it grows beyond its limits, or is cut off', async () => {
  writeFileSync(join(folder, 'x'), Buffer.alloc(10_000))
  const archive = hostile('x')
  await expect(unpack(archive, { ...roomy, bytes: 5_000 })).rejects.toMatchObject({ code: 'pod-workspace' })
  await expect(unpack(archive, { ...roomy, entries: 0 })).rejects.toMatchObject({ code: 'pod-workspace' })
  await expect(unpack(archive.subarray(0, 6_000))).rejects.toMatchObject({ message: 'what came back is cut off' })
})

it('any bytes at all end in an error or in files of the folder, and in nothing outside', async () => {
  writeFileSync(join(folder, 'x'), 'content')
  const archive = hostile('x', 'x')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat({ max: archive.length - 1 }), fc.integer({ min: 0, max: 255 })), { maxLength: 20 }),
      async (changes) => {
        const broken = Buffer.from(archive)
        for (const [at, byte] of changes) broken[at] = byte
        await unpack(broken).catch((error) => expect(error).toMatchObject({ code: 'pod-workspace' }))
        expect(
          readdirSync(folder)
            .filter((name) => !name.startsWith('out-'))
            .sort(),
        ).toEqual(['archive.tar', 'x'])
      },
    ),
    { numRuns: 100 },
  )
})

it('a folder becomes what another is; the link of git stays', async () => {
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  for (const each of [from, to]) mkdirSync(join(each, 'sub'), { recursive: true })
  writeFileSync(join(from, 'new'), 'new')
  writeFileSync(join(from, '.git'), 'gitdir: /elsewhere')
  writeFileSync(join(to, 'old'), 'old')
  writeFileSync(join(to, 'sub/old'), 'old')
  writeFileSync(join(to, '.git'), 'gitdir: ours')
  await takeOver(from, to, new Set(['.git']))
  expect(tree(to)).toEqual({ '.git': 'text gitdir: ours', new: 'text new', sub: 'folder' })
})
