import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient } from '../client/client.ts'
import { route } from '../foundation/platform/http/route.ts'
import { createServer } from '../foundation/platform/http/server.ts'
import { artifactContent } from '../orchestration/runs/run-endpoints-contract.ts'
import type { ArtifactView } from '../orchestration/runs/runs-contract.ts'
import { resultsOf, saveArtifacts } from './artifacts.ts'
import { detailOf, stepOf } from './ui/run-detail-fixture.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leanvibe-artifacts-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const artifact = (name: string, step = 'report'): ArtifactView => ({
  id: `art_${name.length}_${step}`,
  runId: 'run_1',
  taskId: 'task_1',
  step,
  name,
  mediaType: 'text/plain',
  bytes: 4,
  sha256: '',
})

test('names cannot lead out of the folder, nor onto each other', async () => {
  const content = route({
    ...artifactContent,
    permission: 'public',
    handle: ({ params }) => ({ mediaType: 'text/plain', body: params.id }),
  })
  const server = createServer({ routes: [content], authenticate: async () => null })
  const { url } = await server.listen()
  try {
    const names = [
      'report.md',
      '../../etc/passwd',
      '/abs.txt',
      'a/../b',
      'deep/er/x.json',
      '..',
      'report.md',
      'n\u0000l',
    ]
    const artifacts = names.map((name) => artifact(name))
    const saved = await saveArtifacts(createClient({ url }), artifacts, folder)
    expect(saved.map(({ file }) => relative(folder, file))).toEqual([
      ...['report.md', '_/_/etc/passwd', 'abs.txt', 'a/_/b', 'deep/er/x.json', 'artifact', 'report-2.md', 'n_l'],
    ])
  } finally {
    await server.close()
  }
  for (const name of await readdir(folder, { recursive: true })) expect(name).not.toContain('..')
  expect(await readFile(join(folder, 'report.md'), 'utf8')).toBe('art_9_report')
})

test('results are the artifacts of steps that nothing builds on', () => {
  const detail = {
    ...detailOf([stepOf('scan', 'succeeded'), stepOf('report', 'succeeded', { needs: ['scan'] })]),
    artifacts: [artifact('raw.json', 'scan'), artifact('report.md')],
  }
  expect(resultsOf(detail).map(({ name }) => name)).toEqual(['report.md'])
})
