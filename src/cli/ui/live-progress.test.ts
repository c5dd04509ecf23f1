import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createOutput } from '../output.ts'
import { createLiveProgress } from './live-progress.ts'
import { createPlainProgress } from './plain-progress.ts'
import { detailOf, fixtureNow, stepOf, taskOf } from './run-detail-fixture.ts'

function terminal(columns: number, rows: number) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns, rows })
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  const out = createOutput({ stdout: stream, stderr: stream, json: false, color: false })
  return { out, text: () => stripVTControlCharacters(text), raw: () => text }
}

describe('the live tree', () => {
  test('redraws in place and leaves the whole last picture behind', async () => {
    const screen = terminal(80, 8)
    const progress = createLiveProgress(screen.out, () => fixtureNow)
    progress.show(
      detailOf(
        [stepOf('clone', 'succeeded'), stepOf('lint', 'running')],
        [taskOf('lint', 'running', { agentId: 'agent_7' })],
      ),
    )
    await expect.poll(screen.text).toContain('agent_7')
    expect(screen.text()).toContain('checkup run_1 running, 1/2 steps, 1m 30s')
    progress.setNote('cancelling')
    await expect.poll(screen.text).toContain('cancelling')
    const steps = Array.from({ length: 20 }, (_, n) => stepOf(`step${n}`, 'succeeded'))
    const before = screen.text().length
    progress.show(detailOf(steps, [], { state: 'succeeded', endedAt: '2026-01-01T00:01:00.000Z' }))
    await progress.close()
    const last = screen.text().slice(before)
    for (const { id } of steps) expect(last).toContain(id)
    expect(last).toContain('succeeded, 20/20 steps, 1m 0s')
    expect(last.slice(last.lastIndexOf('checkup'))).not.toContain('cancelling')
    expect(screen.raw()).toContain('\u001b[?25h')
  })

  test('is never wider than the terminal', async () => {
    const screen = terminal(40, 24)
    const progress = createLiveProgress(screen.out, () => fixtureNow)
    progress.show(detailOf([stepOf('x'.repeat(100), 'running', { reason: 'y'.repeat(300) })]))
    await progress.close()
    for (const line of screen.text().split('\n')) expect(line.trimEnd().length).toBeLessThanOrEqual(40)
  })
})

describe('plain progress', () => {
  test('tells each change of a step once', () => {
    const screen = terminal(80, 24)
    const progress = createPlainProgress(screen.out, () => fixtureNow)
    progress.show(detailOf([stepOf('a', 'pending'), stepOf('b', 'pending')]))
    progress.show(detailOf([stepOf('a', 'running'), stepOf('b', 'pending')]))
    progress.show(detailOf([stepOf('a', 'running'), stepOf('b', 'pending')]))
    progress.show(detailOf([stepOf('a', 'succeeded'), stepOf('b', 'waiting', { reason: 'approval' })]))
    progress.show(detailOf([stepOf('a', 'succeeded'), stepOf('b', 'failed', { reason: 'rejected' })]))
    expect(screen.text().trimEnd().split('\n')).toEqual([
      '● a',
      '✔ a  5.0s',
      '◌ b  1m 30s  approval',
      '✖ b  5.0s  rejected',
    ])
  })
})
