import { expect, test } from 'vitest'
import { stepsThatNeedRepository } from './needs-repository.ts'
import { parseWorkflow } from './parse-workflow.ts'

const needs = (...lines: string[]) =>
  stepsThatNeedRepository(parseWorkflow(['name: w', ...lines].join('\n'), 'w.yaml').definition)

test('steps that want a worktree, or use the repository, need one', () => {
  expect(
    needs(
      'steps:',
      '  a: { command: [x] }',
      "  b: { command: [git, -C, '${{ repo.path }}', log] }",
      '  c: { command: [x], workspace: worktree }',
      "  d: { map: { over: [1], step: { command: [x], stdin: 'at ${{ repo.commit }}' } } }",
      '  e: { map: { over: [1], step: { command: [x], workspace: worktree } } }',
      '  f: { if: "inputs.repo", command: [x], needs: a }',
      "finally: { g: { command: [x, '${{ repo.branch }}'] } }",
      'inputs: { repo: { type: boolean, default: true } }',
    ),
  ).toEqual(['b', 'c', 'd', 'e', 'g'])
  expect(
    needs(
      'defaults: { workspace: worktree }',
      'steps:',
      '  a: { command: [x] }',
      '  b: { command: [x], workspace: none }',
      '  c: { approval: { message: well? } }',
    ),
  ).toEqual(['a'])
})

test.each(['repo.path != ""', 'repo.commit == "" || inputs.x', 'size(repo.path) > 0', 'repo.path.size() > 0'])(
  'a workflow that asks %j can do without',
  (condition) => {
    expect(
      needs(
        'inputs: { x: { type: boolean, default: true } }',
        'steps:',
        `  a: { if: '${condition}', command: [git, -C, '\${{ repo.path }}', log] }`,
      ),
    ).toEqual([])
  },
)
