import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { RunDetail } from '../src/orchestration/runs/runs-contract.ts'
import { documentsOf, runCli, scratchFolder } from './support/run-cli.ts'

const scratch = scratchFolder('large-outputs')
afterAll(() => scratch.remove())

const flow = `
name: large
steps:
  rows:
    command: [node, -e, 'console.log(JSON.stringify(Array.from({ length: 20000 }, (_, n) => n)))']
    outputs: { list: json }
  first:
    needs: rows
    command: [echo, '\${{ steps.rows.outputs.list[0] }}']
    allowFailure: true
  each:
    needs: rows
    map: { over: '\${{ steps.rows.outputs.list }}', step: { command: [echo, '\${{ item }}'] } }
    allowFailure: true
  size:
    needs: rows
    command: [echo, '\${{ steps.rows.outputs.list.bytes }}']
    outputs: { bytes: stdout }
outputs:
  bytes: \${{ steps.size.outputs.bytes }}
  list: \${{ steps.rows.outputs.list }}
`

test('an output of more than 64 KiB is an artifact, and who takes it for its content is told so', async () => {
  await writeFile(join(scratch.path, 'leanvibe.yaml'), '')
  await writeFile(join(scratch.path, 'large.yaml'), flow)
  const cli = (...args: string[]) => runCli([...args, '--json'], { cwd: scratch.path })
  const { code, stdout, stderr } = await cli('orchestrate', './large.yaml')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { run } = documentsOf(stdout).at(-1) as unknown as RunDetail
  expect(run.outputs).toEqual({
    bytes: '108891',
    list: { artifact: 'list.json', bytes: 108_891, sha256: expect.any(String) },
  })
  const [shown] = documentsOf((await cli('runs', 'show', run.id)).stdout) as unknown as [RunDetail]
  const why = /"list\.json" \(108891 bytes\) is kept as an artifact/
  for (const id of ['first', 'each']) {
    const step = shown.steps.find((each) => each.id === id)
    const task = shown.tasks.find((each) => each.step === id)
    expect(step?.state, id).toBe('failed')
    expect(task?.error?.message ?? step?.reason, id).toMatch(why)
  }
  expect(shown.artifacts).toContainEqual(expect.objectContaining({ step: 'rows', name: 'list.json', bytes: 108_891 }))
})
