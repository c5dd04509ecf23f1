import { expect, test } from 'vitest'
import { failedForWantOfTests, ranNoTests } from './ran-no-tests.ts'

test.each([
  ['unittest', '\n----\nRan 0 tests in 0.000s\n\nOK\n'],
  ['node', '\u001b[34mℹ tests 0\u001b[39m\nℹ suites 0\nℹ pass 0\n'],
  ['node, as TAP', '1..0\n# tests 0\n# pass 0\n'],
  ['cargo', 'running 0 tests\n\ntest result: ok. 0 passed\n\nrunning 0 tests\n'],
  ['go', '?   \texample.org/a\t[no test files]\n'],
  ['maven', '[INFO] --- surefire:test ---\n[INFO] No tests to run.\n[INFO] BUILD SUCCESS\n'],
  ['maven that was told to skip them', '[INFO] Tests are skipped.\n'],
])('%s ran nothing', (_, output) => {
  expect(ranNoTests(output)).toBe(true)
})

test.each([
  ['unittest', 'Ran 1 test in 0.000s\n\nOK\n'],
  ['node', 'ℹ tests 12\n'],
  ['cargo, whose documentation has none', 'running 3 tests\n...\nrunning 0 tests\n'],
  ['several, one after another', 'Ran 0 tests in 0.1s\nℹ tests 2\n'],
  ['go', '?   \texample.org/a\t[no test files]\nok  \texample.org/b\t0.01s\n'],
  ['maven, of two modules', '[INFO] No tests to run.\n[WARNING] Tests run: 2, Failures: 0, Errors: 0, Skipped: 1\n'],
  ['a command that says nothing', 'all is well\n'],
  ['nothing', ''],
])('%s ran something, as far as anybody knows', (_, output) => {
  expect(ranNoTests(output)).toBe(false)
})

test.each([
  ['pytest', 'exit code 5', '\nno tests ran in 0.01s\n'],
  ['pytest that was told what to leave out', 'exit code 5', '3 deselected in 0.02s\n'],
  ['unittest of Python 3.12', 'exit code 5', 'Ran 0 tests in 0.000s\n\nNO TESTS RAN\n'],
  ['Vitest', 'exit code 1', '\u001b[31mNo test files found, exiting with code 1\u001b[39m\n'],
])('%s failed because there was nothing to run', (_, end, output) => {
  expect(failedForWantOfTests(end, output)).toBe(true)
})

test.each([
  ['a folder that is not there', 'exit code 4', 'no tests ran in 0.00s\nERROR: file or directory not found: x\n'],
  ['a module that cannot be imported', 'exit code 2', 'no tests ran in 0.00s\n'],
  ['a test that fails', 'exit code 1', '1 failed, 3 passed in 0.01s\n'],
  ['a program that ends with 5 for its own reasons', 'exit code 5', 'out of cheese\n'],
])('%s is a failure', (_, end, output) => {
  expect(failedForWantOfTests(end, output)).toBe(false)
})
