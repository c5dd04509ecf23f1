/** One test of one run. */
export interface TestOutcome {
  readonly name: string
  readonly passed: boolean
  /** Null: the tool did not tell. */
  readonly ms: number | null
}

const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')

/**
 * The tests that a run printed, one by one: TAP, the spec output of Node, Mocha, Jest and Vitest, pytest (-rA, --durations),
 * unittest -v, go test -v, cargo test, Surefire. What a tool does not print is not there; a test that is named twice counts
 * as failed if it failed once.
 */
export function readResults(output: string): readonly TestOutcome[] {
  const found = new Map<string, { passed: boolean; ms: number | null }>()
  const durations = new Map<string, number>()
  const context: { indent: number; name: string }[] = []
  for (const raw of output.replaceAll(colours, '').split('\n')) {
    const line = raw.trimEnd()
    // What follows tells again, in other words, which tests failed.
    if (/^✖ failing tests:$|^\s+\d+ passing \(/.test(line)) break
    const outcome = readLine(line)
    if (outcome === null) {
      const slow = /^\s*([\d.]+)s (?:call|setup|teardown)\s+(\S.*)$/.exec(line)
      if (slow !== null) durations.set(slow[2]!, (durations.get(slow[2]!) ?? 0) + Number(slow[1]) * 1_000)
      // TAP of Node tells the duration of a test in the block below it.
      const below = /^\s*duration_ms:?\s+([\d.]+)/.exec(line)
      const last = [...found.values()].at(-1)
      if (below !== null && last !== undefined && last.ms === null) last.ms = Number(below[1])
      const head = /^(\s*)(?:▶ |# Subtest: )?(\S.*)$/.exec(line)
      if (head !== null && /▶|^\s+[\w"']/.test(line)) {
        while (context.length > 0 && context.at(-1)!.indent >= head[1]!.length) context.pop()
        if (/▶/.test(line)) context.push({ indent: head[1]!.length, name: head[2]!.replace(/ \([\d.]+ ?m?s\)$/, '') })
      }
      continue
    }
    const indent = /^\s*/.exec(line)![0].length
    while (context.length > 0 && context.at(-1)!.indent >= indent) context.pop()
    const name = [...context.map((each) => each.name), outcome.name].join(' > ').slice(0, 300)
    const before = found.get(name)
    found.set(name, { passed: outcome.passed && before?.passed !== false, ms: outcome.ms ?? before?.ms ?? null })
  }
  return [...found].map(([name, { passed, ms }]) => ({ name, passed, ms: ms ?? durations.get(name) ?? null }))
}

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

function readLine(line: string): TestOutcome | null {
  const marked = /^\s*(✔|✓|√|✖|✗|✘|×|✕)\s+(.+?)(?:\s+\(?([\d.]+)\s?(ms|s|m)\)?)?$/.exec(line)
  if (marked !== null) {
    const ms = marked[3] === undefined ? null : Number(marked[3]) * milliseconds[marked[4]!]!
    return { name: marked[2]!, passed: /[✔✓√]/.test(marked[1]!), ms }
  }
  const mocha = /^\s+\d+\) (.+)$/.exec(line)
  if (mocha !== null) return { name: mocha[1]!, passed: false, ms: null }
  const tap = /^\s*(not )?ok \d+(?: -)? (.+?)(?: # time=([\d.]+)(ms|s))?$/.exec(line)
  if (tap !== null && !/# (SKIP|TODO)\b/i.test(tap[2]!)) {
    return {
      name: tap[2]!,
      passed: tap[1] === undefined,
      ms: tap[3] === undefined ? null : Number(tap[3]) * milliseconds[tap[4]!]!,
    }
  }
  const go = /^\s*--- (PASS|FAIL): (\S+) \(([\d.]+)s\)$/.exec(line)
  if (go !== null) return { name: go[2]!, passed: go[1] === 'PASS', ms: Number(go[3]) * 1_000 }
  const python = /^(PASSED|FAILED|ERROR) (\S+(?:::\S.*?)?)(?: - .*)?$/.exec(line)
  if (python !== null) return { name: python[2]!, passed: python[1] === 'PASSED', ms: null }
  const unittest = /^(\w+ \([\w.]+\))(?: ?\.\.\. )(ok|FAIL|ERROR)$/.exec(line)
  if (unittest !== null) return { name: unittest[1]!, passed: unittest[2] === 'ok', ms: null }
  const cargo = /^test (\S+) \.\.\. (ok|FAILED)$/.exec(line)
  if (cargo !== null) return { name: cargo[1]!, passed: cargo[2] === 'ok', ms: null }
  const maven =
    /Tests run: (\d+), Failures: (\d+), Errors: (\d+).*Time elapsed: ([\d.]+) s.*?(?:- in |-- in )(\S+)/.exec(line)
  if (maven !== null)
    return { name: maven[5]!, passed: maven[2] === '0' && maven[3] === '0', ms: Number(maven[4]) * 1_000 }
  return null
}
