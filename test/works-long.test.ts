import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commands } from '../src/cli/commands.ts'
import { selectCommand } from '../src/cli/program.ts'

const file = new URL('../bin/works-long.js', import.meta.url).href
const { worksLong } = (await import(file)) as { worksLong(argv: readonly string[]): boolean }

/** As on a command line. */
const words = (line: string) => line.split(' ').filter((word) => word !== '')

test.each([
  'orchestrate flow --repo .',
  '--json orchestrate flow',
  '--data runs orchestrate flow',
  '--config=x.yaml --data d serve',
  '--url u --key k spawn "do it"',
  'work --join http://there:1',
  'checkpoint --restore a',
  'migrate-to postgres://there/db',
  'mcp serve',
  'mcp --data d serve',
  'runs retry run_1',
  'runs --json --data d retry run_1',
  'runs resume run_1',
])('%s may work for long', (line) => {
  expect(worksLong(words(line))).toBe(true)
})

test.each([
  '',
  '--version',
  'runs',
  'runs list',
  'runs show retry',
  'runs logs serve',
  'runs --data retry',
  '--data serve runs',
  '--data orchestrate',
  '--config work runs list',
  'workflows show orchestrate',
  'personas show spawn',
  'keys create serve',
  'mcp grant coders serve',
  'mcp tools work',
  'groups create work',
  'retry',
  'resume run_1',
  'constructor',
])('%s does not', (line) => {
  expect(worksLong(words(line))).toBe(false)
})

test('it is judged by the command that the program takes the call for', () => {
  const always = ['orchestrate', 'spawn', 'serve', 'work', 'checkpoint', 'migrate-to']
  const perhaps = ['mcp', 'runs']
  const word = fc.constantFrom(
    ...commands.map(({ name }) => name),
    ...['--data', '--config', '--url', '--key', '--json', '--debug', '--data=x', '-V', 'retry', 'nothing', ''],
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
      const name = selectCommand(argv)?.name ?? ''
      if (always.includes(name)) expect(worksLong(argv)).toBe(true)
      else if (!perhaps.includes(name)) expect(worksLong(argv)).toBe(false)
    }),
    { numRuns: 2_000 },
  )
})
