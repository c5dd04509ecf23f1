/**
 * Percent of lines covered, 0 to 100, out of what coverage tools write: lcov, the summary of Istanbul in JSON, Cobertura
 * and JaCoCo in XML. Null where the text is none of them.
 */
export function coverageOfReport(name: string, text: string): number | null {
  if (/\.info$/.test(name)) return shareOf(sumOf(text, /^LH:(\d+)/gm), sumOf(text, /^LF:(\d+)/gm))
  if (/\.json$/.test(name)) return ofIstanbul(text)
  if (/\.xml$/.test(name)) return ofXml(text)
  return coverageOfOutput(text)
}

/** The same out of what the tools print: the last total there is. */
export function coverageOfOutput(printed: string): number | null {
  // Colours stand between the words that are looked for.
  const text = printed.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '')
  // pytest-cov and coverage.py: `TOTAL   120   18   85%`; Istanbul and v8: `All files | 85.1 | ...`, or `Lines : 85.1% ( 10/12 )`.
  const total =
    lastMatch(text, /^TOTAL\s.*?(\d+(?:\.\d+)?)%\s*$/gm) ??
    lastMatch(text, /^\s*Lines\s*:\s*(\d+(?:\.\d+)?)%/gm) ??
    ofIstanbulTable(text) ??
    lastMatch(text, /(\d+(?:\.\d+)?)% coverage/gm)
  return total ?? ofGo(text)
}

/** Where coverage reports lie by custom. */
export const usualReports = Object.freeze([
  'coverage/coverage-summary.json',
  'coverage/lcov.info',
  'lcov.info',
  'coverage.xml',
  'coverage/cobertura-coverage.xml',
  'target/site/jacoco/jacoco.xml',
  'target/site/jacoco-aggregate/jacoco.xml',
  'build/reports/jacoco/test/jacocoTestReport.xml',
])

/** Where the modules of a project have theirs, in the format of JaCoCo; one that tells of several modules first. */
export const moduleReports = Object.freeze([
  'target/site/jacoco-aggregate/jacoco.xml',
  'target/site/jacoco/jacoco.xml',
  'build/reports/jacoco/test/jacocoTestReport.xml',
])

export interface LineCount {
  readonly covered: number
  readonly all: number
}

/** The lines that several reports of JaCoCo tell, added up. */
export function sumOfJacoco(texts: readonly string[]): LineCount {
  let covered = 0
  let all = 0
  for (const text of texts) {
    const lines = linesOfJacoco(text)
    covered += lines?.covered ?? 0
    all += lines?.all ?? 0
  }
  return { covered, all }
}

export function percentOf({ covered, all }: LineCount): number | null {
  return shareOf(covered, all)
}

function ofIstanbul(text: string): number | null {
  try {
    const value = JSON.parse(text) as { total?: { lines?: { pct?: unknown } } }
    const percent = value.total?.lines?.pct
    return typeof percent === 'number' ? percent : null
  } catch {
    // A report that was cut off says nothing; the output of the tool may.
    return null
  }
}

function ofXml(text: string): number | null {
  const rate = /<coverage\b[^>]*\bline-rate="([\d.]+)"/.exec(text)?.[1]
  if (rate !== undefined) return Number(rate) * 100
  const lines = linesOfJacoco(text)
  return lines === null ? null : percentOf(lines)
}

/** The counters of the whole report come last. */
function linesOfJacoco(text: string): LineCount | null {
  const counter = [...text.matchAll(/<counter type="LINE" missed="(\d+)" covered="(\d+)"\s*\/>/g)].at(-1)
  if (counter === undefined) return null
  const covered = Number(counter[2])
  return { covered, all: covered + Number(counter[1]) }
}

/**
 * `All files | % Stmts | % Branch | % Funcs | % Lines |`, where the lines are the fourth figure, if there are so many; or
 * `ℹ all files | line % | branch % | funcs % |` of node --test, `#` before it as TAP, where they are the first.
 */
function ofIstanbulTable(text: string): number | null {
  const row = [...text.matchAll(/^\s*(?:[ℹ#]\s)?\s*all files\s*\|(.+)$/gim)].at(-1)?.[1]
  const cells = row?.split('|').map((cell) => Number.parseFloat(cell)) ?? []
  const figure = Number.isFinite(cells[3]) ? cells[3] : cells[0]
  return figure !== undefined && Number.isFinite(figure) ? figure : null
}

/** Go tells each package by itself; the mean of those that have statements is the best that can be said of the whole. */
function ofGo(text: string): number | null {
  const packages = [...text.matchAll(/coverage: (\d+(?:\.\d+)?)% of statements/g)].map((match) => Number(match[1]))
  return packages.length === 0 ? null : packages.reduce((sum, figure) => sum + figure, 0) / packages.length
}

function lastMatch(text: string, pattern: RegExp): number | null {
  const found = [...text.matchAll(pattern)].at(-1)?.[1]
  return found === undefined ? null : Number(found)
}

function sumOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0)
}

function shareOf(hit: number, found: number): number | null {
  return found === 0 ? null : (hit / found) * 100
}
