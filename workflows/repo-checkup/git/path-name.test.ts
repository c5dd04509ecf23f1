import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRepository } from '../repository.fixture.ts'
import { decodePath, encodePath, showBytes, showText, unquoteGitPath } from './path-name.ts'

const byteString = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'))

describe('names of files', () => {
  test('survive the way through an argument', () => {
    fc.assert(
      fc.property(byteString, (path) => {
        const encoded = encodePath(path)
        expect(decodePath(encoded)).toBe(path)
        expect(encoded).toMatch(/^[A-Za-z0-9._/+@%-]*$/)
      }),
    )
  })

  test('are shown without anything that moves a cursor or hides', () => {
    fc.assert(
      fc.property(byteString, (path) => {
        expect(showBytes(path)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }),
    )
    expect(showBytes(Buffer.from('größe/日本.txt').toString('latin1'))).toBe('größe/日本.txt')
    expect(showBytes('caf\xe9.txt')).toBe('café.txt')
    expect(showText('a\nb\x1b[31m\u202ec')).toBe('a\\nb\\u{1b}[31m\\u{202e}c')
  })

  test('as git quotes them are read back', () => {
    using repo = createRepository()
    const names = ['plain.txt', 'tab\there', 'new\nline', 'quo"te', 'back\\slash', 'umlaut-ü', '\x01bell\x07', ' lead']
    repo.commit(Object.fromEntries(names.map((name) => [name, 'x\n'])))
    const quoted = repo.git(['-c', 'core.quotePath=true', 'ls-files']).split('\n')
    const read = quoted.map((name) => Buffer.from(unquoteGitPath(name), 'latin1').toString('utf8'))
    expect(new Set(read)).toEqual(new Set(names))
  })
})
