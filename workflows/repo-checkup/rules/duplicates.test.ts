import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gatherClasses } from './clone-classes.ts'
import { type CleanLines, cleanLines, createCloneFinder } from './duplicate-windows.ts'

const slash = ['//', '/*', '*', '*/']
const asLines = (symbols: readonly number[]): CleanLines => ({
  hashes: Uint32Array.from(symbols),
  numbers: Uint32Array.from(symbols.map((_, at) => at + 1)),
})

describe('cleanLines', () => {
  test('drops comments, imports, blank lines and lone brackets, and folds white space', () => {
    const text = [
      '/* licence',
      'text',
      '*/',
      'import a from "a"',
      'import {',
      '  b,',
      '  c,',
      "} from 'c'",
      '',
      'const  x =   1',
      '// why',
      '}',
      '  const x = 1',
    ].join('\n')
    const { hashes, numbers } = cleanLines(text, slash)
    expect([...numbers]).toEqual([10, 13])
    expect(hashes[0]).toBe(hashes[1])
  })

  test('leaves the tests inside a Rust file out', () => {
    expect([...cleanLines('fn main() {}\n#[cfg(test)]\nmod tests {\n  fn a() { b(); }\n}\n', slash).numbers]).toEqual([
      1,
    ])
  })

  test('an import on one line does not swallow what follows', () => {
    expect([
      ...cleanLines("import x from 'x'\nuse a::b;\nuse a::{b, c};\nfrom a import (\n  b,\n)\nwork(1)\n", slash).numbers,
    ]).toEqual([7])
  })
})

describe('createCloneFinder', () => {
  test('finds a copied stretch with its whole length', () => {
    const finder = createCloneFinder(3, 1000)
    expect(finder.add(asLines([1, 2, 3, 4, 5, 6]))).toEqual([])
    expect(finder.add(asLines([9, 2, 3, 4, 5, 8]))).toEqual([{ fileA: 0, startA: 1, fileB: 1, startB: 1, length: 4 }])
  })

  test('counts a run of one line as copies that do not overlap', () => {
    const clones = createCloneFinder(2, 1000).add(asLines([7, 7, 7, 7, 7, 7]))
    for (const clone of clones) expect(clone.startA + clone.length).toBeLessThanOrEqual(clone.startB)
    expect(clones.length).toBeGreaterThan(0)
  })

  test('agrees with comparing everything with everything', () => {
    const window = 3
    const file = fc.array(fc.nat(3), { maxLength: 25 })
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 5 }), (files) => {
        const finder = createCloneFinder(window, 10_000)
        const clones = files.flatMap((symbols) => finder.add(asLines(symbols)))
        for (const { fileA, startA, fileB, startB, length } of clones) {
          expect(length).toBeGreaterThanOrEqual(window)
          expect(files[fileA]!.slice(startA, startA + length)).toEqual(files[fileB]!.slice(startB, startB + length))
          expect(fileA < fileB || startA + length <= startB).toBe(true)
        }
        // Every window of a later file that stands in an earlier file is covered by a clone.
        files.forEach((symbols, at) => {
          const earlier = new Set(
            files
              .slice(0, at)
              .flatMap((other) =>
                other
                  .map((_, start) => other.slice(start, start + window).join())
                  .filter((_, start) => start + window <= other.length),
              ),
          )
          symbols.forEach((_, start) => {
            if (start + window > symbols.length || !earlier.has(symbols.slice(start, start + window).join())) return
            const touched = clones.some(
              (clone) => clone.fileB === at && clone.startB < start + window && start < clone.startB + clone.length,
            )
            expect(touched).toBe(true)
          })
        })
      }),
    )
  })

  test('remembers no more than its capacity', () => {
    const finder = createCloneFinder(2, 10)
    finder.add(asLines(Array.from({ length: 100 }, (_, at) => at)))
    expect(finder.full()).toBe(true)
    expect(finder.add(asLines([0, 1, 2, 3, 90, 91, 92])).map((clone) => clone.length)).toEqual([4])
  })
})

test('clones of one original are one class, weighed by what is repeated', () => {
  const clone = (fileB: number, length: number, startA = 0) => ({ fileA: 0, startA, fileB, startB: 0, length })
  const [first, second] = gatherClasses([clone(1, 10), clone(2, 8), clone(3, 12, 50)])
  expect(first).toMatchObject({ length: 8, places: [{ file: 0 }, { file: 1 }, { file: 2 }] })
  expect(second).toMatchObject({ length: 12, places: [{ file: 0, start: 50 }, { file: 3 }] })
})
