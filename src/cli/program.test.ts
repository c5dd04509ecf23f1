import { expect, test } from 'vitest'
import type { GlobalOptions } from './command.ts'
import { buildProgram, globalsOf, selectCommand } from './program.ts'

/** What a command line is understood as: the options of the whole program and those of the command. */
async function read(...argv: string[]): Promise<{ globals: GlobalOptions; options: Record<string, unknown> }> {
  let found: { globals: GlobalOptions; options: Record<string, unknown> } | null = null
  const act = () =>
    (async (...given: unknown[]) => {
      const command = given.at(-1) as Parameters<typeof globalsOf>[1]
      found = { globals: globalsOf(argv, command), options: command.opts() }
    }) as never
  const program = await buildProgram({ selected: selectCommand(argv), act, write: () => {}, columns: 100 })
  await program.parseAsync([...argv], { from: 'user' })
  return found!
}

test('--url and --key name a server elsewhere, before the command and after it', async () => {
  const server = { url: 'http://there:1', key: 'k' }
  expect((await read('--url', server.url, '--key', server.key, 'runs', 'list')).globals).toMatchObject(server)
  expect((await read('runs', 'list', '--url', server.url, '--key', server.key)).globals).toMatchObject(server)
})

test('where a command means something else by the name, the value is its own', async () => {
  const { globals, options } = await read('webhook', '--action', 'subscribe', '--url', 'http://hook')
  expect(options).toMatchObject({ url: 'http://hook' })
  expect(globals).not.toHaveProperty('url')
  expect((await read('webhook', '--key', 'k')).globals).toMatchObject({ key: 'k' })
  // Also in a group of commands, of which some mean the server.
  const added = await read('agents', 'add', 'mcp', '--url', 'http://tools')
  expect([added.options.url, added.globals.url]).toEqual(['http://tools', undefined])
  expect((await read('agents', 'list', '--url', 'http://there:1')).globals.url).toBe('http://there:1')
  expect((await read('mcp', 'grant', 'pool', 'name', '--url', 'http://tools')).options.url).toBe('http://tools')
})
