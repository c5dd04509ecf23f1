import { expect, test } from 'vitest'
import { ranNoTests } from './ran-no-tests.ts'

test.each([
  ['unittest', '\n----\nRan 0 tests in 0.000s\n\nOK\n'],
  ['node', '\u001b[34mℹ tests 0\u001b[39m\nℹ suites 0\nℹ pass 0\n'],
  ['node, as TAP', '1..0\n# tests 0\n# pass 0\n'],
  ['cargo', 'running 0 tests\n\ntest result: ok. 0 passed\n\nrunning 0 tests\n'],
  ['go', '?   \texample.org/a\t[no test files]\n'],
])('%s ran nothing', (_, output) => {
  expect(ranNoTests(output)).toBe(true)
})

test.each([
  ['unittest', 'Ran 1 test in 0.000s\n\nOK\n'],
  ['node', 'ℹ tests 12\n'],
  ['cargo, whose documentation has none', 'running 3 tests\n...\nrunning 0 tests\n'],
  ['several, one after another', 'Ran 0 tests in 0.1s\nℹ tests 2\n'],
  ['go', '?   \texample.org/a\t[no test files]\nok  \texample.org/b\t0.01s\n'],
  ['a command that says nothing', 'all is well\n'],
  ['nothing', ''],
])('%s ran something, as far as anybody knows', (_, output) => {
  expect(ranNoTests(output)).toBe(false)
})
