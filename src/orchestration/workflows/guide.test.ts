import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { depthTable } from './depth-table-contract.ts'
import { parseWorkflow } from './parse-workflow.ts'

const guide = readFileSync(new URL('../../../docs/guides/workflows.md', import.meta.url), 'utf8')

describe('docs/guides/workflows.md', () => {
  const blocks = [...guide.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match): [string, string] => {
    const text = match[1] as string
    return [/^name: (.*)$/m.exec(text)?.[1] ?? '?', text]
  })

  test('has a block for each kind of step', () => {
    const kinds = blocks.flatMap(([name, text]) =>
      Object.values(parseWorkflow(text, name).definition.steps).map((step) => step.kind),
    )
    expect([...new Set(kinds)].sort()).toEqual(
      ['agent', 'approval', 'command', 'gate', 'map', 'script', 'wait', 'workflow'].sort(),
    )
  })

  test.each(blocks)('%s is a workflow without warnings', (name, text) => {
    expect(parseWorkflow(text, `${name}.yaml`).warnings).toEqual([])
  })

  test('tells what each depth means', () => {
    for (const [depth, { timeout, budget }] of Object.entries(depthTable)) {
      const row = `| \`${depth}\` | ${timeout} | ${budget.usd} $, ${budget.tokens.toLocaleString('en')} tokens |`
      expect(guide).toContain(row)
    }
  })
})
