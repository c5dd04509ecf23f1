import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from '../../foundation/kernel/schema.ts'
import { parseWorkflow } from './parse-workflow.ts'
import { printWorkflowJsonSchema } from './workflow-json-schema.ts'

const root = new URL('../../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

test('workflow.schema.json is current (npm run generate writes it)', () => {
  expect(read('workflow.schema.json')).toBe(printWorkflowJsonSchema())
})

describe('by the published schema', () => {
  const schema = z.fromJSONSchema(JSON.parse(read('workflow.schema.json')))
  const examples = readdirSync(new URL('examples/', root)).filter((file) => file.endsWith('.yaml'))

  test('there are examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(4)
  })

  test.each(examples)('%s is a workflow, for editors and for the parser, without warnings', (file) => {
    const text = read(`examples/${file}`)
    expect(text.startsWith('# yaml-language-server: $schema=../workflow.schema.json\n')).toBe(true)
    expect(schema.safeParse(parse(text)).error?.issues).toBeUndefined()
    expect(parseWorkflow(text, file).warnings).toEqual([])
  })

  test.each([
    ['no steps', { name: 'a' }],
    ['a step without kind', { name: 'a', steps: { a: {} } }],
    ['an unknown key', { name: 'a', steps: { a: { command: ['x'], foo: 1 } } }],
    ['a command that is text', { name: 'a', steps: { a: { command: 'x' } } }],
    ['a bad duration', { name: 'a', steps: { a: { command: ['x'], timeout: '5 weeks' } } }],
  ])('%s is none', (_, value) => {
    expect(schema.safeParse(value).success).toBe(false)
  })
})
