import { join } from 'node:path'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Git, GitPlace } from '../../foundation/platform/git/index.ts'
import type { AttemptContext } from '../agents/agent-adapter.ts'
import type { StartProcess, WorkerProcess } from '../agents/task-worker.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'
import type { ArtifactRef, Assignment, AttemptError, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedBuiltInCheck, ResolvedCheck } from '../workflows/task-contract.ts'
import { type ChangedFile, parseNumstat, risksOf, sizeOf } from './change-facts.ts'
import {
  commandsFor,
  commandText,
  foldersAbove,
  manifestNames,
  mostPackages,
  type PlacedCommand,
  packagesOf,
} from './changed-packages.ts'
import { type CommandCheck, checkDefaults, type Severity } from './checks-contract.ts'
import { confidenceOf, judgeConfidence, riskOf } from './confidence-contract.ts'
import { type DetectedChecks, detectChecks } from './detect-checks.ts'
import { findCoverage } from './find-coverage.ts'
import type { CheckReport } from './gate-verdict-contract.ts'
import { failedForWantOfTests, ranNoTests } from './ran-no-tests.ts'
import { coverageOfOutput } from './read-coverage.ts'
import { foldersWith, readFolder } from './read-folder.ts'
import { findingsIn, whatIsLookedFor } from './security-findings.ts'

export interface CheckTools {
  readonly git: Git
  readonly artifacts: ArtifactSink
}

export interface CheckPlace {
  readonly assignment: Assignment
  readonly context: AttemptContext
  readonly start: StartProcess
  /** The change that is judged; null where there is nothing to compare. */
  readonly change: { readonly from: string; readonly to: string } | null
}

export interface ChecksDone {
  readonly reports: readonly CheckReport[]
  readonly artifacts: readonly ArtifactRef[]
  readonly usage: ResourceUsage
  readonly survivors: number
  /** Set where the checks could not be done to the end: they say nothing, and may be done again. */
  readonly failure: AttemptError | null
}

/** What one check came to, before its evidence is kept. */
interface Finding {
  readonly level: Severity
  readonly summary: string
  readonly skipped?: boolean
  readonly facts?: JsonObject
  /** What is kept as evidence; commands add what they printed by themselves. */
  readonly evidence?: string
}

/** Does checks one after another in the folder of an attempt, and keeps the evidence of each as an artifact. */
export async function runChecks(
  checks: readonly ResolvedCheck[],
  place: CheckPlace,
  tools: CheckTools,
): Promise<ChecksDone> {
  const work = new Checks(place, tools)
  const reports: CheckReport[] = []
  for (const check of checks) {
    if ('passed' in check || place.context.signal.aborted) continue
    const report = await work.perform(check)
    if (work.failure !== null) break
    reports.push(report)
  }
  const { artifacts, usage, survivors, failure } = work
  return { reports, artifacts, usage, survivors, failure }
}

/** Enough of what a tool printed to see what is wrong. */
const excerptCharacters = 2_000

class Checks {
  readonly artifacts: ArtifactRef[] = []
  usage: ResourceUsage = { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 }
  survivors = 0
  failure: AttemptError | null = null
  readonly #place: CheckPlace
  readonly #tools: CheckTools
  #detected: { readonly top: DetectedChecks; readonly packages: ReadonlyMap<string, DetectedChecks> } | null = null
  #files: readonly ChangedFile[] | null = null
  #isSetUp = false
  /** What the commands of the present check printed. */
  #printed: string[] = []
  #outputs: { readonly folder: string; readonly text: string }[] = []

  constructor(place: CheckPlace, tools: CheckTools) {
    this.#place = place
    this.#tools = tools
  }

  async perform(check: Exclude<ResolvedCheck, { passed: boolean }>): Promise<CheckReport> {
    const { name } = check
    this.#printed = []
    this.#outputs = []
    const finding = 'argv' in check ? await this.#command(check.argv) : await this.#builtIn(check)
    const passed = finding.level === 'ok'
    const { level, summary, skipped, facts } = finding
    const state = passed ? (skipped ? 'nothing to do' : 'passed') : 'failed'
    await this.#say(`check ${name}: ${state}${passed && !skipped ? '' : ` (${summary})`}`)
    const text = [...this.#printed, finding.evidence ?? ''].filter((part) => part !== '').join('\n')
    const evidence = text === '' || this.failure !== null ? null : await this.#keep(name, `${text}\n${summary}\n`)
    return {
      ...{ name, passed, level, summary: this.#place.context.masker.text(summary) },
      ...(skipped ? { skipped } : {}),
      ...(evidence === null ? {} : { evidence }),
      ...(passed || text === '' ? {} : { excerpt: this.#place.context.masker.text(text).slice(-excerptCharacters) }),
      ...(facts === undefined ? {} : { facts }),
    }
  }

  async #builtIn(check: ResolvedBuiltInCheck): Promise<Finding> {
    switch (check.check) {
      case 'size':
        return this.#size(check.max ?? checkDefaults.size.lines)
      case 'confidence':
        return this.#confidence(check)
      case 'security':
        return this.#security(check)
      case 'coverage':
        return this.#coverage(check)
      default:
        return this.#commands(check, check.check)
    }
  }

  async #command(argv: readonly string[]): Promise<Finding> {
    const end = await this.#start({ argv, folder: '' })
    return { level: end.passed ? 'ok' : 'block', summary: end.text }
  }

  /** All the commands that the repository has for it; the gravest result counts. */
  async #commands(check: ResolvedBuiltInCheck, kind: CommandCheck): Promise<Finding> {
    const commands = await this.#commandsOf(check, kind)
    if (commands.length === 0) return nothingFor(kind)
    const prepared = await this.#setUp(check)
    if (prepared !== null) return prepared
    const lines = commands.map(commandText)
    for (const command of commands) {
      const end = await this.#start(command)
      if (end.passed) continue
      if (kind === 'tests' && end.failure === null && failedForWantOfTests(end.text, end.output))
        return { level: 'review', summary: `${commandText(command)}: no tests ran`, facts: { commands: lines } }
      const level = kind === 'lint' ? 'review' : 'block'
      return { level, summary: `${commandText(command)}: ${end.text}`, facts: { commands: lines } }
    }
    if (kind === 'tests' && ranNoTests(this.#outputs.map(({ text }) => text).join('\n')))
      return { level: 'review', summary: `${lines.join(', ')}: no tests ran`, facts: { commands: lines } }
    return { level: 'ok', summary: lines.join(', '), facts: { commands: lines } }
  }

  async #coverage(check: ResolvedBuiltInCheck): Promise<Finding> {
    const from = Date.now()
    const run = await this.#commands(check, 'coverage')
    if (run.skipped || run.level !== 'ok') return run
    const percent = await this.#coverageOf(check, from)
    if (percent === null)
      return { level: 'review', summary: 'the coverage command ran, and nothing tells the coverage' }
    const { pass, block } = checkDefaults.coverage
    const wanted = check.min ?? pass
    const level = percent >= wanted ? 'ok' : percent < (check.min ?? block) ? 'block' : 'review'
    const rounded = Math.round(percent * 10) / 10
    return { level, summary: `${rounded} % of lines are covered, ${wanted} % are wanted`, facts: { percent: rounded } }
  }

  /** Of several packages the least; of one that does not tell, nothing can be said of the whole. */
  async #coverageOf(check: ResolvedBuiltInCheck, from: number): Promise<number | null> {
    const commands = await this.#commandsOf(check, 'coverage')
    const figures: number[] = []
    for (const folder of new Set(commands.map((command) => command.folder))) {
      const printed = this.#outputs.filter((one) => one.folder === folder).map(({ text }) => text)
      const path = join(this.#place.context.workdir, folder)
      const figure = (await findCoverage(path, check.report, from)) ?? coverageOfOutput(printed.join('\n'))
      if (figure === null) return null
      figures.push(figure)
    }
    return Math.min(...figures)
  }

  async #security(check: ResolvedBuiltInCheck): Promise<Finding> {
    const { change } = this.#place
    const range = change === null ? null : [change.from, change.to]
    const diff =
      range === null
        ? ''
        : await this.#git(['diff-tree', '-r', '-p', '--no-renames', '--no-color', '--unified=0', ...range])
    const findings = findingsIn(diff)
    const commands = await this.#commands(check, 'security')
    if (this.failure !== null) return commands
    const failed = commands.level === 'ok' || commands.skipped ? 0 : 1
    const count = findings.length + failed
    const most = check.max ?? 0
    const blockAbove = check.max ?? checkDefaults.security.block
    const level = count <= most ? 'ok' : count > blockAbove ? 'block' : 'review'
    const list = [...findings.map(({ text }) => text), ...(failed === 0 ? [] : [commands.summary])]
    const looked = range === null && commands.skipped
    return {
      level,
      summary: looked
        ? 'nothing changed'
        : count === 0
          ? 'no findings'
          : `${count} findings: ${list.slice(0, 5).join('; ')}`,
      ...(looked ? { skipped: true } : {}),
      facts: { findings: count },
      ...(looked ? {} : { evidence: [...list, ...lookedThrough(diff, range)].join('\n') }),
    }
  }

  async #size(most: number): Promise<Finding> {
    const files = await this.#changedFiles()
    if (files === null) return { level: 'ok', skipped: true, summary: 'there is nothing to compare with' }
    const lines = sizeOf(files)
    const evidence = files.map(({ path, added, removed }) => `+${added ?? '-'} -${removed ?? '-'} ${path}`).join('\n')
    return {
      level: lines <= most ? 'ok' : 'review',
      summary: `${lines} lines in ${files.length} files, ${most} lines are wanted at most`,
      facts: { lines, files: files.length },
      evidence,
    }
  }

  async #confidence(check: ResolvedBuiltInCheck): Promise<Finding> {
    const told = check.confidence ?? { agent: null, reviewer: null, risks: [], type: check.name }
    const risks = [...new Set([...told.risks, ...risksOf((await this.#changedFiles()) ?? [])])].sort()
    const { level, reason } = judgeConfidence({ ...told, risks }, null)
    const facts = {
      confidence: confidenceOf(told),
      risk: riskOf(risks),
      risks,
      type: told.type,
      agent: told.agent,
      reviewer: told.reviewer,
    }
    return { level, summary: reason, facts, evidence: JSON.stringify(facts, null, 2) }
  }

  async #changedFiles(): Promise<readonly ChangedFile[] | null> {
    const { change } = this.#place
    if (change === null) return null
    this.#files ??= parseNumstat(
      await this.#git(['diff-tree', '-r', '-z', '--numstat', '--no-renames', change.from, change.to]),
    )
    return this.#files
  }

  #git(args: readonly string[]): Promise<string> {
    const { context } = this.#place
    const place: GitPlace =
      context.tree === null ? context.workdir : { gitDir: context.tree.gitDir, workTree: context.workdir }
    return this.#tools.git.text(place, args, { signal: context.signal, timeoutMs: 600_000 })
  }

  /** Null where all is ready. */
  async #setUp(check: ResolvedBuiltInCheck): Promise<Finding | null> {
    if (this.#isSetUp) return null
    const found = check.command === null ? await this.#commandsOf(check, 'setup') : []
    for (const command of check.setup === null ? found : [{ argv: check.setup, folder: '' }]) {
      const end = await this.#start(command)
      if (!end.passed) return { level: 'block', summary: `${commandText(command)}: ${end.text}` }
    }
    this.#isSetUp = true
    return null
  }

  async #commandsOf(check: ResolvedBuiltInCheck, kind: CommandCheck | 'setup'): Promise<readonly PlacedCommand[]> {
    if (check.command !== null) return kind === 'setup' ? [] : [{ argv: check.command, folder: '' }]
    const { top, packages } = await this.#detect()
    return commandsFor(kind, top, packages)
  }

  /** What the top folder says, and the packages that the change touches. */
  async #detect() {
    if (this.#detected !== null) return this.#detected
    const { workdir } = this.#place.context
    const folder = await readFolder(workdir, '')
    const paths = ((await this.#changedFiles()) ?? []).map(({ path }) => path)
    const known = await foldersWith(workdir, foldersAbove(paths), manifestNames)
    const packages = new Map<string, DetectedChecks>()
    for (const name of packagesOf(paths, (each) => known.has(each)).slice(0, mostPackages)) {
      packages.set(name, detectChecks(await readFolder(workdir, name, folder.names)))
    }
    this.#detected = { top: detectChecks(folder), packages }
    return this.#detected
  }

  async #start(command: PlacedCommand): Promise<WorkerProcess> {
    const end = await this.#place.start(command.argv, command.folder)
    const { cpuSeconds, maxRssBytes, wallSeconds } = this.usage
    this.usage = {
      cpuSeconds: cpuSeconds === null || end.usage.cpuSeconds === null ? null : cpuSeconds + end.usage.cpuSeconds,
      maxRssBytes: Math.max(maxRssBytes ?? 0, end.usage.maxRssBytes ?? 0) || null,
      wallSeconds: wallSeconds + end.usage.wallSeconds,
    }
    this.survivors += end.survivors
    this.failure ??= end.failure
    this.#outputs.push({ folder: command.folder, text: end.output })
    this.#printed.push(
      `$ ${commandText(command)}\n${end.output.replace(/\n$/, '')}\n(${end.text}, ${end.usage.wallSeconds.toFixed(1)} s)\n`,
    )
    return end
  }

  async #keep(check: string, text: string): Promise<string> {
    const { assignment, context } = this.#place
    const { tenant, runId, taskId, step, item } = assignment
    const name = `gate/${item === null ? step : `${step}-${item}`}/${check.replaceAll(/[^\w.-]+/g, '-')}.txt`
    const data = Buffer.from(context.masker.text(text))
    const stored = await this.#tools.artifacts.store({ tenant, runId, taskId }, { data }, context.signal)
    this.artifacts.push({ name, mediaType: 'text/plain', ...stored })
    return name
  }

  async #say(text: string): Promise<void> {
    await this.#place.context.log('stderr', Buffer.from(`${text}\n`))
  }
}

/** What an absence of findings is worth: how much was looked through, and for what. */
function lookedThrough(diff: string, range: readonly string[] | null): readonly string[] {
  if (range === null) return []
  const added = diff.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++ ')).length
  const span = range.map((commit) => commit.slice(0, 12)).join('..')
  return [`looked through ${added} added lines of ${span} for: ${whatIsLookedFor.join(', ')}`]
}

/** No tests is something that a person should know of; the rest a repository may well do without. */
function nothingFor(check: CommandCheck): Finding {
  const summary = `the repository names no command for ${check}; give the check one: command: [...]`
  return check === 'tests' ? { level: 'review', summary } : { level: 'ok', skipped: true, summary }
}
