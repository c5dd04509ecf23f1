import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCoupling } from './coupling.ts'
import { findDebt } from './debt-markers.ts'
import { languageOfName } from './languages.ts'
import { familyOf, identifyLicence, normaliseLicence } from './licences.ts'
import { createPeople } from './people.ts'
import { findProjectFiles } from './project-files.ts'
import { countSwitches, createMentions, foldName, nameToTest } from './test-links.ts'

describe('findDebt', () => {
  const kinds = (text: string, name = 'a.ts') =>
    findDebt(text, languageOfName(name)!).map((marker) => `${marker.line}:${marker.kind}`)

  test('in comments, where they are meant', () => {
    expect(kinds('// TODO: x\ncode() // FIXME y\n/* HACK\n * XXX z\n TODO(me): w\n*/\n')).toEqual([
      '1:TODO',
      '2:FIXME',
      '3:HACK',
      '4:XXX',
      '5:TODO',
    ])
    expect(kinds('# TODO x\n', 'a.py')).toEqual(['1:TODO'])
    expect(kinds('-- FIXME: x\n', 'a.sql')).toEqual(['1:FIXME'])
  })

  test('not in strings, names and prose', () => {
    expect(
      kinds(
        'const TODO = 1\nlist("TODO: x")\nlet a = \'// TODO: x\'\n// finds TODO comments\n// MYTODO: x\n// see https://x/TODO\nTODO()\n',
      ),
    ).toEqual([])
    expect(kinds('const glob = "src/**/*.ts"\nconst TODO = 2\n')).toEqual([])
  })

  test('tells which name an issue', () => {
    const [a, b, c] = findDebt('// TODO: later\n// TODO(#12): x\n// FIXME: see PROJ-7\n', languageOfName('a.ts')!)
    expect([a!.tracked, b!.tracked, c!.tracked]).toEqual([false, true, true])
  })
})

describe('createPeople', () => {
  test('joins by address and by full name, not by short names', () => {
    const people = createPeople()
    const ann = people.of('Ann Author', 'ann@work.example')
    expect(people.of('ann author', 'ann@home.example').id).toBe(ann.id)
    expect(people.of('annie', 'ANN@home.example').id).toBe(ann.id)
    expect(people.of('root', 'a@example.com').id).not.toBe(people.of('root', 'b@example.com').id)
  })

  test('knows bots, and shows names harmlessly', () => {
    const people = createPeople()
    for (const [name, email] of [
      ['dependabot[bot]', 'x@users'],
      ['renovate', 'r@x'],
      ['Netty', 'netty-bot@x'],
      ['github-actions', 'g@x'],
    ]) {
      expect(people.of(name!, email!).bot).toBe(name !== 'Netty' || /bot@/.test(email!))
    }
    expect(people.of('Abbott Lee', 'abbott@x').bot).toBe(false)
    expect(people.of('Robot Chicken', 'rc@x').bot).toBe(false)
    expect(people.of('', 'lonely@x').name).toBe('lonely')
    expect(people.of('E\x1b[2Jvil One', 'e@x').name).not.toMatch(/\p{Cc}/u)
  })
})

describe('createCoupling', () => {
  test('pairs in different folders that keep changing together', () => {
    const coupling = createCoupling()
    for (let at = 0; at < 8; at += 1) coupling.add(['a/x.ts', 'b/y.ts', 'a/z.ts'])
    coupling.add(['a/x.ts'])
    expect(coupling.strongest(5)).toEqual([
      { a: 'a/x.ts', b: 'b/y.ts', together: 8, degree: 1 },
      { a: 'a/z.ts', b: 'b/y.ts', together: 8, degree: 1 },
    ])
  })

  test('a commit that touches everything says nothing', () => {
    const coupling = createCoupling()
    const all = Array.from({ length: 40 }, (_, at) => `${at}/f${at}`)
    for (let at = 0; at < 20; at += 1) coupling.add(all)
    expect(coupling.strongest(5)).toEqual([])
  })
})

describe('licences', () => {
  const mit =
    'Permission is hereby granted, free of charge, to any person obtaining a copy of this software\nThe above copyright notice and this permission notice shall be included'
  test('are told by phrases', () => {
    expect(identifyLicence(mit)).toBe('MIT')
    expect(identifyLicence(mit.replace(/ /g, '\n   '))).toBe('MIT')
    expect(
      identifyLicence(
        '                 Apache License\n   Version 2.0, January 2004\n http://www.apache.org/licenses/',
      ),
    ).toBe('Apache-2.0')
    expect(identifyLicence('GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007')).toBe('GPL-3.0')
    expect(identifyLicence('GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007')).toBe('AGPL-3.0')
    expect(identifyLicence('All rights reserved.')).toBeNull()
  })

  test('as authors write them', () => {
    expect(normaliseLicence('MIT OR Apache-2.0')).toEqual(['MIT', 'Apache-2.0'])
    expect(normaliseLicence('(MIT/Apache-2.0)')).toEqual(['MIT', 'Apache-2.0'])
    expect(normaliseLicence('GPL-3.0-or-later WITH Classpath-exception')).toEqual(['GPL-3.0'])
    expect(normaliseLicence('The Apache License, Version 2.0')).toEqual(['Apache-2.0'])
    expect(normaliseLicence('My Own Terms')).toEqual(['My Own Terms'])
  })

  test('have a reach', () => {
    expect(['MIT', 'LGPL-2.1', 'AGPL-3.0', 'BUSL-1.1', 'Odd'].map(familyOf)).toEqual([
      'permissive',
      'weak copyleft',
      'strong copyleft',
      'restricted',
      'unknown',
    ])
  })
})

describe('tests and what they name', () => {
  test('names fold to one form', () => {
    expect(foldName('User-Mailer_2')).toBe('usermailer2')
    expect(nameToTest('src/user_mailer.rb')).toBe('usermailer')
    for (const path of ['src/index.ts', 'a/main.go', 'x/__init__.py', 'a/io.c']) expect(nameToTest(path)).toBeNull()
    const mentions = createMentions()
    mentions.add("import { x } from '../src/user-mailer.js'\nnew UserService()")
    expect(mentions.has('usermailer') && mentions.has('userservice')).toBe(true)
    expect(mentions.has('other')).toBe(false)
  })

  test('switched-off and focused tests are counted', () => {
    expect(
      countSwitches("it.skip('a')\nxit('b')\n@Disabled\n@pytest.mark.skip\nt.Skip('x')\n#[ignore]\n").skipped,
    ).toBe(6)
    expect(countSwitches("it.only('a', () => {})\nfdescribe('b')\n")).toEqual({ skipped: 0, focused: 2 })
    expect(countSwitches("exit(1)\nprofit('x')\nlist.only('x')\n")).toEqual({ skipped: 0, focused: 0 })
    expect(countSwitches(`write("it.only(1)"); // it.skip(2)\n`)).toEqual({ skipped: 0, focused: 0 })
  })
})

test('the files of a project are found wherever they are usual, the nearest to the top first', () => {
  const found = findProjectFiles([
    'docs/README.md',
    'README.md',
    'COPYING',
    '.github/workflows/ci.yml',
    'src/readme.ts',
    'pkg/LICENSE',
  ])
  expect(found).toMatchObject({
    readme: 'README.md',
    licence: 'COPYING',
    ci: '.github/workflows/ci.yml',
    security: null,
  })
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), (paths) => {
      const answers = Object.values(findProjectFiles(paths))
      expect(answers.every((path) => path === null || paths.includes(path))).toBe(true)
    }),
  )
})
