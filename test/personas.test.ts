import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listPersonas, showPersona } from '../src/contract.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'
import { runCli, scratchFolder } from './support/run-cli.ts'

const scratch = scratchFolder('personas')
const [data, project] = [join(scratch.path, 'data'), join(scratch.path, 'project')]
let use: TestDatabase | undefined
let api: TestApi | undefined
beforeAll(async () => {
  mkdirSync(join(data, 'personas'), { recursive: true })
  mkdirSync(project)
  writeFileSync(join(data, 'personas', 'reviewer.md'), '---\ndescription: Of the machine.\n---\nBe strict.')
  use = await openTestDatabase('pglite')
  api = await startApi(use.db, { yaml: `data: ${data}\npersonas: ${project}\n` })
})
afterAll(async () => {
  await api?.close()
  await use?.close()
  await scratch.remove()
})

test('personas are told over HTTP; files of the project go before those of the data folder, and those before the package, at once', async () => {
  const { owner, server } = api!
  const show = (name: string) => owner.call(showPersona, { params: { name } })
  expect(await show('backend')).toMatchObject({ origin: 'built-in', tier: 'standard', problem: null })
  expect(await show('reviewer')).toMatchObject({ origin: 'data', instructions: 'Be strict.' })
  writeFileSync(join(project, 'reviewer.md'), '---\ndescription: Ours.\ntier: strong\n---\nBe kind.')
  writeFileSync(join(project, 'poet.md'), 'no settings')
  expect(await show('reviewer')).toMatchObject({ origin: 'project', tier: 'strong', instructions: 'Be kind.' })
  const { items } = await owner.call(listPersonas, {})
  expect(items.find(({ name }) => name === 'poet')).toMatchObject({
    problem: expect.stringContaining('poet.md:1'),
    tier: null,
  })
  expect(items.filter(({ origin }) => origin === 'built-in')).toHaveLength(8)
  await expect(show('nobody')).rejects.toMatchObject({ code: 'persona-unknown' })

  // The command line asks the server that it is pointed to, and not the files beside it.
  const env = { LEANVIBE_URL: server.localUrl, LEANVIBE_KEY: server.token }
  const shown = await runCli(['personas', 'show', 'reviewer'], { cwd: scratch.path, env })
  expect(shown.stdout, shown.stderr).toContain('Be kind.')
  const listed = await runCli(['personas', 'list'], { cwd: scratch.path, env })
  expect([listed.code, listed.stdout]).toEqual([65, expect.stringMatching(/reviewer\s+project\s+strong/)])
})
