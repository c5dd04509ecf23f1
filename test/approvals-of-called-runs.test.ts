import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { approve, artifactContent, listApprovals, runArtifacts, showRun, startRun } from '../src/contract.ts'
import { startApi } from './support/api.ts'
import { openTestDatabase } from './support/databases.ts'
import { scratchFolder } from './support/run-cli.ts'

vi.setConfig({ testTimeout: 120_000 })
const scratch = scratchFolder('called')
afterAll(() => scratch.remove())

const called = `name: asked
steps:
  wrote:
    script: echo hello > note
    outputs: { note: { from: file, path: note } }
  agree: { needs: wrote, approval: { message: 'Go on?' } }
  closed:
    needs: agree
    gate:
      checks:
        - name: in time
          condition: 'false'
          summary: \${{ steps.agree.outputs.by }} was late
`

test('what a called run asks is listed with its caller; a closed gate says why in its own words', async () => {
  const workflows = join(scratch.path, 'workflows')
  mkdirSync(workflows)
  writeFileSync(join(workflows, 'asked.yaml'), called)
  const use = await openTestDatabase('pglite')
  const api = await startApi(use.db, { work: true, yaml: `agents: 1\nworkflows: ${workflows}\n` })
  const { owner } = api
  try {
    const text = 'name: caller\nsteps:\n  call: { workflow: { name: asked } }\n'
    const body = { source: { text, fileName: 'caller.yaml' }, inputs: {}, labels: {} }
    const run = await owner.call(startRun, { body })
    const other = await owner.call(startRun, { body })
    const pending = async (id: string) =>
      (await owner.call(listApprovals, { query: { run: id, state: 'pending' } })).items
    await expect.poll(async () => (await pending(run.id)).length, { timeout: 60_000, interval: 100 }).toBe(1)
    const [asked] = await pending(run.id)
    expect(asked!.runId).not.toBe(run.id)
    await expect.poll(async () => (await pending(other.id)).length, { timeout: 60_000, interval: 100 }).toBe(1)
    await owner.call(approve, { params: { id: asked!.id }, body: {} })
    const detail = () => owner.call(showRun, { params: { id: run.id } })
    await expect.poll(async () => (await detail()).run.state, { timeout: 60_000, interval: 100 }).toBe('failed')
    const { steps } = await owner.call(showRun, { params: { id: asked!.runId } })
    const told = steps.find(({ id }) => id === 'closed')!
    expect(JSON.stringify(told)).toContain('the gate is closed: in time (owner was late)')
    expect((await pending(other.id)).length).toBe(1)
    const kept = await owner.call(runArtifacts, { params: { id: run.id } })
    expect(kept).toMatchObject({ items: [{ runId: asked!.runId, step: 'wrote', name: 'note' }], more: false })
    const { body: note } = await owner.bytes(artifactContent, { params: { id: kept.items[0]!.id } })
    expect(await new Response(note as never).text()).toBe('hello\n')
    await expect(owner.call(runArtifacts, { params: { id: 'run_none' } })).rejects.toThrow(/there is no run/)
  } finally {
    await api.close()
    await use.close()
  }
})
