// An agent that is a real program: it reads its task on standard input, works in its worktree, and tells what it did. Its
// wits are a table: what it does follows from persona and task.
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'

const prompt = readFileSync(0, 'utf8')
const persona = process.env.LEANVIBE_PERSONA ?? 'planner'
appendFileSync(
  process.argv[2],
  `${JSON.stringify({ persona, depth: process.env.LEANVIBE_DEPTH, model: process.argv[3], prompt })}\n`,
)

const say = (value) => console.log(`Done.\n\n\`\`\`json\n${JSON.stringify(value)}\n\`\`\``)

/** Adds a function and its test. The first time it is wrong where the task asks for that. */
function implement(name) {
  const handedBack = prompt.includes('is handed back') || persona === 'debugger'
  const broken = prompt.includes('wrong at first') && !handedBack
  writeFileSync(`${name}.js`, `module.exports = (a, b) => a ${broken ? '-' : name === 'add' ? '+' : '*'} b\n`)
  const expected = name === 'add' ? 5 : 6
  writeFileSync(
    `${name}.test.js`,
    `if (require('./${name}.js')(2, 3) !== ${expected}) { console.error('${name} is wrong'); process.exit(1) }\n`,
  )
  if (prompt.includes('say how it is used') && handedBack) writeFileSync(`${name}.md`, `Use ${name}(a, b).\n`)
  const list = existsSync('list.txt') ? readFileSync('list.txt', 'utf8') : ''
  if (!list.includes(name)) writeFileSync('list.txt', `${list}${name}\n`)
  console.log(`I made ${name}.`)
}

if (persona === 'planner') {
  say({
    note: 'Two functions, side by side.',
    parts: [
      { title: 'add', task: 'Write add; it is wrong at first.', persona: 'backend', paths: ['add*'] },
      { title: 'mul', task: 'Write mul, and say how it is used when asked.', persona: 'backend', paths: ['mul*'] },
    ],
  })
} else if (persona === 'backend') {
  implement(prompt.includes('Write add') ? 'add' : 'mul')
} else if (persona === 'debugger') {
  implement(prompt.includes('Write add') ? 'add' : 'mul')
} else {
  const change = execFileSync('git', ['diff', '--name-only', /git diff ([0-9a-f]{40}) HEAD/.exec(prompt)[1], 'HEAD'], {
    encoding: 'utf8',
  })
  const undocumented = change.includes('mul.js') && !change.includes('mul.md')
  say(
    undocumented
      ? { verdict: 'changes', confidence: 0.9, comments: 'mul.js:1: say how it is used.' }
      : { verdict: 'approve', confidence: 0.8, comments: '' },
  )
}
