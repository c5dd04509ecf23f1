import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseToml } from './toml.ts'

describe('parseToml', () => {
  test('the forms that manifests use', () => {
    const text = `
# a comment
title = "a \\"quoted\\" \\u00e9" # behind
[project]
name = 'lit\\eral'
dependencies = [
  "a>=1", # one
  'b',
]
authors = [{ name = "N", email = "e" }, {name="M"}]
"odd key".x = 1_000
[tool.poetry.dependencies]
d = { version = "^1.2", extras = ["x", "y"], optional = true }
dotted.version = "2"
[[bin]]
name = "first"
[[bin]]
name = "second"
[bin.sub]
deep = 1.5
[text]
long = """
line one
line "two" \\
   joined"""
raw = '''a\\b'''
date = 2026-01-01T00:00:00Z
`
    expect(parseToml(text)).toEqual({
      title: 'a "quoted" é',
      project: {
        name: 'lit\\eral',
        dependencies: ['a>=1', 'b'],
        authors: [{ name: 'N', email: 'e' }, { name: 'M' }],
        'odd key': { x: 1000 },
      },
      tool: {
        poetry: {
          dependencies: { d: { version: '^1.2', extras: ['x', 'y'], optional: true }, dotted: { version: '2' } },
        },
      },
      bin: [{ name: 'first' }, { name: 'second', sub: { deep: 1.5 } }],
      text: { long: 'line one\nline "two" joined', raw: 'a\\b', date: '2026-01-01T00:00:00Z' },
    })
  })

  test('reads back what JSON writes for strings and lists', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/),
          fc.oneof(fc.string(), fc.boolean(), fc.array(fc.string())),
        ),
        (data) => {
          const text = Object.entries(data)
            .map(([key, value]) => `${key} = ${JSON.stringify(value).replace(/\x7f/g, '\\u007f')}`)
            .join('\n')
          expect(parseToml(text)).toEqual(Object.fromEntries(Object.entries(data)))
        },
      ),
    )
  })

  test('ends on any text, and does not touch prototypes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'[]{}="\'\\\n,.#a1 '), maxLength: 60 }), (text) => {
        parseToml(text)
      }),
    )
    parseToml('[__proto__]\npolluted = true\n["constructor".prototype]\npolluted = true')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(() => parseToml(`a = ${'['.repeat(100_000)}`)).not.toThrow()
  })
})
