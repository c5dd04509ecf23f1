import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../foundation/kernel/errors.ts'
import { parseWorkflow } from './parse-workflow.ts'
import type { Problem } from './problem.ts'

function problemsOf(text: string): readonly Problem[] {
  const error = refusalOf(text)
  return error.details.problems as readonly Problem[]
}

function refusalOf(text: string): AppError {
  try {
    parseWorkflow(text, 'flow.yaml')
  } catch (error) {
    if (error instanceof AppError && error.code === 'workflow-invalid') return error
    throw error
  }
  throw new Error('the definition was accepted')
}

/** A definition with one step `a`, to which lines are added. */
const step = (...lines: string[]) => ['name: flow', 'steps:', '  a:', '    command: [x]', ...lines].join('\n')
const steps = (...lines: string[]) => ['name: flow', 'steps:', ...lines].join('\n')
const token = `ghp_${'0123456789'.repeat(4)}`

/** [what, text, line, column, part of the message, part of what was expected] */
const refusals: [string, string, number, number, string, string?][] = [
  ['nothing', '', 1, 1, 'no workflow', 'a map'],
  ['a list', '- a', 1, 1, 'no workflow'],
  ['broken YAML', 'name: [a', 1, 9, 'Flow sequence'],
  ['a key twice', 'name: a\nname: b\nsteps: {}', 2, 1, 'twice', 'each key once'],
  ['two documents', 'name: a\n---\nname: b', 2, 1, 'more than one document'],
  ['a tag', 'name: !!js/function a', 1, 7, 'tag'],
  ['an alias of nothing', 'name: *a', 1, 7, 'names no anchor', '&a'],
  ['no name', 'steps: {a: {command: [x]}}', 1, 1, 'name is missing', 'text'],
  ['a bad name', 'name: My Flow\nsteps: {a: {command: [x]}}', 1, 7, '"My Flow"', 'lower-case'],
  ['no steps', 'name: a', 1, 1, 'steps is missing', 'step ids'],
  ['steps that are a list', 'name: a\nsteps: [a]', 2, 8, 'not a map', 'step ids'],
  ['empty steps', 'name: a\nsteps: {}', 2, 8, 'no steps', 'at least one'],
  ['an unknown key', `desription: x\n${step()}`, 1, 1, 'did you mean "description"', 'onEnd'],
  ['an unknown key of a step', step('    timout: 5m'), 5, 5, 'did you mean "timeout"', 'timeout'],
  ['a misspelt kind', steps('  a:', '    comand: [x]'), 4, 5, 'did you mean "command"', 'approval'],
  ['no kind', steps('  a:', '    needs: []'), 3, 3, 'nothing says', 'command, script'],
  ['two kinds', step('    script: x'), 5, 5, 'command and script'],
  ['a step that is text', steps('  a: echo'), 3, 6, 'map of keys'],
  ['a step id with a space', steps('  a b:', '    command: [x]'), 3, 3, '"a b"', 'letter'],
  ['__proto__', steps('  __proto__:', '    command: [x]'), 3, 3, '__proto__', 'another name'],
  ['command as text', steps('  a:', '    command: echo hi'), 4, 14, '"echo hi"', 'a list'],
  ['an empty command', steps('  a:', '    command: []'), 4, 14, 'a list', 'at least 1 element'],
  ['a map in a command', steps('  a:', '    command: [x, {b: 1}]'), 4, 18, 'a map', 'text'],
  ['a number YAML would rewrite', steps('  a:', '    command: [chmod, 0755]'), 4, 22, '755', '"0755"'],
  ['a duration without unit', step('    timeout: 5'), 5, 14, 'found 5', '30s'],
  ['a duration with a wrong unit', step('    timeout: 5 weeks'), 5, 14, '"5 weeks"', '30s'],
  ['a timeout of nothing', step('    timeout: 0s'), 5, 14, '0s', 'more than 0'],
  ['priority 11', step('    priority: 11'), 5, 15, '11', 'at most 10'],
  ['priority high', step('    priority: high'), 5, 15, '"high"', 'number'],
  ['no attempts', step('    retry: {attempts: 0}'), 5, 23, '0', 'at least 1'],
  ['a bad size', step('    resources: {memory: 1TBX}'), 5, 25, '1TBX', '512KB'],
  ['a bad workspace', step('    workspace: worktee'), 5, 16, 'worktee', '"none", "worktree"'],
  ['a path that climbs', step('    outputs: {f: {from: file, path: ../x}}'), 5, 37, '../x', 'inside the workspace'],
  ['an absolute path', step('    outputs: {f: {from: file, path: /etc/passwd}}'), 5, 37, '/etc', 'inside'],
  ['an unknown output source', step('    outputs: {f: stdot}'), 5, 18, '"stdot"', '"stdout"'],
  ['an unknown need', step('    needs: [b]'), 5, 13, 'unknown step b', 'id of another step'],
  [
    'a need that is nearly right',
    steps('  build: {command: [x]}', '  test: {command: [x], needs: [biuld]}'),
    4,
    32,
    'did you mean "build"',
  ],
  ['a need of itself', step('    needs: [a]'), 5, 13, 'needs itself'],
  [
    'a cycle',
    steps('  a: {command: [x], needs: [c]}', '  b: {command: [x], needs: [a]}', '  c: {command: [x], needs: [b]}'),
    3,
    29,
    'a -> c -> b -> a',
  ],
  ['a finally step as need', `${step('    needs: [z]')}\nfinally: {z: {command: [x]}}`, 5, 13, 'finally step'],
  ['a need from finally', `${step()}\nfinally: {z: {command: [x], needs: [a]}}`, 5, 37, 'anyway'],
  ['an id used twice', `${step()}\nfinally: {a: {command: [x]}}`, 5, 11, 'already'],
  [
    '${{ }} in a script',
    steps('  a:', '    script: |', '      echo 1', '      echo "${{ inputs.x }}"'),
    6,
    13,
    'run as code',
    'env',
  ],
  ['bad CEL', steps('  a:', '    command: [x, "${{ 1 + }}"]'), 4, 26, 'ends too early'],
  ['${{ without }}', steps('  a:', '    command: [x, "n ${{ 1 + "]'), 4, 21, 'no matching }}'],
  ['${{ }} with nothing', steps('  a:', '    command: [x, "${{ }}"]'), 4, 19, 'no expression'],
  ['an unknown name', steps('  a:', '    command: [x, "a ${{ inptus.b }}"]'), 4, 25, 'did you mean "inputs"'],
  [
    'an unknown input',
    `inputs: {dir: {}}\n${steps('  a:', '    command: ["${{ inputs.dri }}"]')}`,
    5,
    20,
    'did you mean "dir"',
    'dir',
  ],
  [
    'a dash taken for minus',
    `inputs: {dry-run: {}}\n${step('    if: inputs.dry-run == "a"')}`,
    6,
    9,
    'inputs["dry-run"]',
  ],
  [
    'an unknown step in an expression',
    steps('  a:', '    command: ["${{ steps.b.outputs.c }}"]'),
    4,
    20,
    'unknown step b',
  ],
  [
    'a step that is not waited for',
    steps('  b: {command: [x], outputs: {c: stdout}}', '  a:', '    command: ["${{ steps.b.outputs.c }}"]'),
    5,
    20,
    'does not wait',
    'b among the needs of a',
  ],
  [
    'an unknown output',
    steps(
      '  b: {command: [x], outputs: {c: stdout}}',
      '  a:',
      '    needs: b',
      '    command: ["${{ steps.b.outputs.d }}"]',
    ),
    6,
    20,
    'no output d',
    'one of c',
  ],
  [
    'an unknown field of a step',
    steps('  b: {command: [x]}', '  a:', '    needs: b', '    command: [x]', '    if: steps.b.stat == "x"'),
    7,
    9,
    'did you mean "state"',
  ],
  ['all steps at once', steps('  a:', '    command: ["${{ steps }}"]'), 4, 20, 'written out'],
  ['an unknown field of the run', step('    if: run.nme == "x"'), 5, 13, 'nme'],
  ['text as a condition', step('    if: \'"yes"\''), 5, 10, 'gives text', 'true or false'],
  ['types that do not fit', `inputs: {n: {}}\n${step('    if: inputs.n > 3')}`, 6, 9, 'types do not fit: string > int'],
  ['an unknown function', step('    if: size(shell("ls")) > 0'), 5, 14, 'unknown function shell()'],
  ['a bad pattern', step('    if: run.name.matches("(a")'), 5, 26, 'no matching )'],
  ['an expression of a thousand terms', step(`    if: ${'1+'.repeat(1_500)}1 > 0`), 5, 9, 'more than 1000 parts'],
  ['an expression nested too deep', step(`    if: ${'('.repeat(200)}true${')'.repeat(200)}`), 5, 59, 'deeper than 50'],
  ['a secret in a command', steps('  a:', '    command: [x, "${{ secrets.KEY }}"]'), 4, 18, 'cannot stand here', 'env'],
  ['a secret with text around it', step('    env: {A: "Bearer ${{ secrets.KEY }}"}'), 5, 26, 'stands alone'],
  ['a secret in a condition', step('    if: secrets.KEY == ""'), 5, 9, 'stands alone'],
  [
    'a secret read through env',
    `env: {K: "\${{ secrets.K }}"}\n${steps('  a:', '    command: ["${{ env.K }}"]')}`,
    5,
    20,
    'is a secret',
  ],
  ['a secret input', `inputs: {key: {secret: true}}\n${step()}`, 1, 16, 'cannot be secret', 'secrets.NAME'],
  ['a token in a command', steps('  a:', `    command: [x, ${token}]`), 4, 18, 'GitHub token', 'secrets.NAME'],
  ['a password in env', step('    env: {DB_PASSWORD: hunter2}'), 5, 24, 'DB_PASSWORD', 'secrets.NAME'],
  ['a random text in env', step('    env: {THING: q8Zr4Tn2Xw9Lk5Vb7Hs3Jd6Mf}'), 5, 18, 'looks like', 'secrets.NAME'],
  ['a password in a URL', step('    env: {DB: "postgres://u:hunter2@db/x"}'), 5, 16, 'password in a URL'],
  ['a private key', step('    stdin: "-----BEGIN RSA PRIVATE KEY-----"'), 5, 13, 'private key'],
  ['a variable of the runner', step('    env: {LEANVIBE_ATTEMPT: x}'), 5, 11, 'set by the runner'],
  ['an unknown env', steps('  a:', '    command: ["${{ env.X }}"]'), 4, 20, 'unknown variable env.X'],
  ['a default of the wrong type', `inputs: {n: {type: number, default: many}}\n${step()}`, 1, 37, '"many"', 'a number'],
  ['a default outside its enum', `inputs: {n: {enum: [a, b], default: c}}\n${step()}`, 1, 37, '"c"', 'a, b'],
  ['required and default', `inputs: {n: {required: true, default: c}}\n${step()}`, 1, 24, 'never missing'],
  ['an unknown type of input', `inputs: {n: {type: strng}}\n${step()}`, 1, 20, 'strng', '"string"'],
  ['a map over text', steps('  a:', '    map: {over: abc, step: {command: [x]}}'), 4, 17, 'abc', 'a list'],
  [
    'a map over a number',
    steps('  a:', '    map: {over: "${{ 1 + 1 }}", step: {command: [x]}}'),
    4,
    22,
    'a number',
    'a list',
  ],
  [
    'a map over a mix',
    steps('  a:', '    map: {over: "a ${{ [1] }}", step: {command: [x]}}'),
    4,
    17,
    'makes it text',
    'a list',
  ],
  ['a map without step', steps('  a:', '    map: {over: [1]}'), 4, 10, 'step is missing'],
  [
    'a map of approvals',
    steps('  a:', '    map: {over: [1], step: {approval: {message: x}}}'),
    4,
    29,
    'cannot stand here',
    'command',
  ],
  [
    'needs inside a map',
    steps('  a:', '    map: {over: [1], step: {command: [x], needs: [a]}}'),
    4,
    43,
    'nothing of its own',
  ],
  [
    'an item named inputs',
    steps('  a:', '    map: {over: [1], as: inputs, step: {command: [x]}}'),
    4,
    26,
    'cannot be named',
  ],
  [
    'an item named by a word of CEL',
    steps('  a:', '    map: {over: [1], as: string, step: {command: [x]}}'),
    4,
    26,
    'cannot be named',
  ],
  ['the item outside its map', steps('  a:', '    command: ["${{ item }}"]'), 4, 20, 'unknown name item'],
  ['a misspelt approval', steps('  a:', '    approval: {mesage: x}'), 4, 16, 'did you mean "message"'],
  ['a check with neither', steps('  a:', '    gate: {checks: [{name: x}]}'), 4, 21, 'missing'],
  [
    'checks of one name',
    steps('  a:', '    gate: {checks: [{name: x, condition: true}, {name: x, condition: true}]}'),
    4,
    56,
    'two checks',
  ],
  ['a wait for nothing', steps('  a:', '    wait: {}'), 4, 11, 'missing'],
  ['event outside wait', step('    if: event.x == 1'), 5, 9, 'unknown name event'],
  ['outputs of unknown steps', `${step()}\noutputs: {x: "\${{ steps.b.state }}"}`, 5, 19, 'unknown step b'],
  ['steps in the env of the workflow', `env: {X: "\${{ steps.a.state }}"}\n${step()}`, 1, 15, 'not known here'],
  ['nesting', `${step()}\noutputs: {x: ${'['.repeat(45)}${']'.repeat(45)}}`, 5, 52, 'too deep', '40 levels'],
]

describe('parseWorkflow refuses', () => {
  test.each(refusals)('%s', (...row) => {
    const [, text, line, column, message, expected] = row as [string, string, number, number, string, string?]
    const problems = problemsOf(text)
    const shown = problems.map((each) => `${each.line}:${each.column} ${each.message} (${each.expected})`).join('\n')
    const found = problems.find((each) => each.message.includes(message) || (each.expected ?? '').includes(message))
    expect(found, shown).toBeDefined()
    expect({ line: found?.line, column: found?.column }, shown).toEqual({ line, column })
    if (expected !== undefined) expect(found?.expected, shown).toContain(expected)
  })

  test('all problems at once, in order, one a line, as compilers write them', () => {
    const text = steps(
      '  a: {comand: [x]}',
      '  b: {command: [x], needs: [zz], timeout: 5}',
      '  c: {command: ["${{ nope }}"]}',
    )
    const { message } = refusalOf(text)
    const lines = message.split('\n')
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'flow.yaml:3:7:',
      'flow.yaml:4:29:',
      'flow.yaml:4:43:',
      'flow.yaml:5:22:',
    ])
    expect(lines[1]).toBe(
      'flow.yaml:4:29: steps.b.needs[0]: unknown step zz (expected the id of another step under steps)',
    )
  })

  test('markup of the terminal that stands in a definition', () => {
    const { message } = refusalOf(step('    "\\e[2J\\nflow.yaml:1:1: fine": 1'))
    expect(message).not.toMatch(/\u001b/)
    expect(message.split('\n')).toHaveLength(1)
  })
})

describe('parseWorkflow stays bounded', () => {
  const hostile: readonly (readonly [string, string, string])[] = [
    ['10,000 steps', steps(...Array.from({ length: 10_000 }, (_, i) => `  s${i}: {command: [x]}`)), 'at most 2000'],
    ['more than a mebibyte', 'a'.repeat(1_048_577), 'at most 1048576 bytes'],
    ['brackets without end', '['.repeat(500_000), 'nested too deep'],
    ['dashes without end', '- '.repeat(250_000), 'nested too deep'],
    ['a staircase', Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'nested too deep'],
    ['an alias of itself', 'a: &a [*a]', 'too deep'],
    ['the billion laughs', laughs(9), 'expand to too much'],
    ['100,000 aliases', `a: &a x\nb: [${'*a,'.repeat(100_000)}]`, 'too many aliases'],
    ['100,000 keys', Array.from({ length: 100_000 }, (_, i) => `k${i}:`).join('\n'), 'unknown key'],
    [
      'a cycle of 2,000',
      steps(...Array.from({ length: 2_000 }, (_, i) => `  s${i}: {command: [x], needs: [s${(i + 1) % 2_000}]}`)),
      'in a circle',
    ],
  ]

  test.each(hostile)('%s', (_, text, message) => {
    const started = performance.now()
    expect(refusalOf(text).message).toContain(message)
    expect(performance.now() - started).toBeLessThan(15_000)
  })

  test('2,000 steps are accepted', () => {
    const text = steps(
      ...Array.from({ length: 2_000 }, (_, i) => `  s${i}: {command: [x], needs: [${i ? `s${i - 1}` : ''}]}`),
    )
    expect(Object.keys(parseWorkflow(text, 'flow.yaml').definition.steps)).toHaveLength(2_000)
  })

  function laughs(levels: number): string {
    const names = Array.from({ length: levels }, (_, i) => `l${i}`)
    return names
      .map(
        (name, i) =>
          `${name}: &${name} [${
            i === 0
              ? 'ha'
              : Array(9)
                  .fill(`*l${i - 1}`)
                  .join(', ')
          }]`,
      )
      .join('\n')
  }
})

describe('parseWorkflow accepts', () => {
  test('short forms, and writes them out', () => {
    const { definition } = parseWorkflow(
      steps(
        '  a: {command: [sleep, 1, true], outputs: {o: stdout}}',
        '  b: {agent: do it, needs: a, if: "${{ steps.a.outputs.o != \'\' }}"}',
        '  c: {workflow: other, needs: [a, b]}',
      ),
      'flow.yaml',
    )
    expect(definition.steps.a).toEqual({
      kind: 'command',
      command: ['sleep', '1', 'true'],
      needs: [],
      outputs: { o: { from: 'stdout' } },
    })
    expect(definition.steps.b).toEqual({
      kind: 'agent',
      agent: { prompt: 'do it' },
      needs: ['a'],
      if: "steps.a.outputs.o != ''",
    })
    expect(definition.steps.c).toEqual({ kind: 'workflow', workflow: { name: 'other' }, needs: ['a', 'b'] })
  })

  test('a need named twice, with a warning', () => {
    const { warnings } = parseWorkflow(steps('  a: {command: [x]}', '  b: {command: [x], needs: [a, a]}'), 'flow.yaml')
    expect(warnings).toMatchObject([{ line: 4, column: 32, message: 'a is named twice' }])
  })

  test('aliases, a byte order mark and Windows line ends', () => {
    const { definition } = parseWorkflow(
      '\ufeffname: flow\r\nsteps:\r\n  a: &a\r\n    command: [x]\r\n  b: *a\r\n',
      'flow.yaml',
    )
    expect(Object.keys(definition.steps)).toEqual(['a', 'b'])
  })

  test('steps of any fitting name, and finally steps that read all others', () => {
    const { definition } = parseWorkflow(
      `${steps('  constructor: {command: [x], outputs: {toString: stdout}}')}
finally: {valueOf: {command: ["\${{ steps.constructor.outputs.toString }}"]}}`,
      'flow.yaml',
    )
    expect(Object.keys(definition.finally)).toEqual(['valueOf'])
  })

  test('what is no secret: commits, digests, numbers, paths, references', () => {
    const env = [
      'SHA: 0123456789abcdef0123456789abcdef01234567',
      'MAX_TOKENS: 4096',
      'TOKEN_FILE: /run/secrets/token',
      'GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}',
      'PASSWORD: "${{ inputs.word }}"',
      'LONG: /usr/local/share/Some/Folder/With/Names2/And/More',
    ]
    expect(() =>
      parseWorkflow(`inputs: {word: {}}\n${step('    env:', ...env.map((line) => `      ${line}`))}`, 'flow.yaml'),
    ).not.toThrow()
  })
})

describe('random graphs', () => {
  /** needs[i] holds steps with smaller numbers only. */
  const acyclic = fc
    .integer({ min: 2, max: 15 })
    .chain((size) =>
      fc.tuple(...Array.from({ length: size }, (_, i) => fc.subarray(Array.from({ length: i }, (_, j) => j)))),
    )
  const yaml = (needs: readonly (readonly number[])[]) =>
    steps(...needs.map((list, i) => `  s${i}: {command: [x], needs: [${list.map((n) => `s${n}`).join(', ')}]}`))

  test('without a cycle are accepted', () => {
    fc.assert(
      fc.property(acyclic, (needs) => {
        expect(Object.keys(parseWorkflow(yaml(needs), 'flow.yaml').definition.steps)).toHaveLength(needs.length)
      }),
    )
  })

  test('with one edge back are refused, and the cycle that is shown is real', () => {
    fc.assert(
      fc.property(acyclic, fc.nat(), (needs, pick) => {
        const edges = needs.flatMap((list, from) => list.map((to) => [from, to] as const))
        fc.pre(edges.length > 0)
        const [from, to] = edges[pick % edges.length] as readonly [number, number]
        const closed = needs.map((list, i) => (i === to ? [...list, from] : list))
        const shown = /in a circle: (.*) \(expected/.exec(refusalOf(yaml(closed)).message)?.[1]?.split(' -> ') ?? []
        fc.pre(!shown.some((id) => id.startsWith('...')))
        expect(shown.length).toBeGreaterThan(2)
        expect(shown[0]).toBe(shown.at(-1))
        for (const [i, id] of shown.slice(0, -1).entries()) {
          expect(closed[Number(id.slice(1))]).toContain(Number(shown[i + 1]?.slice(1)))
        }
      }),
    )
  })
})
