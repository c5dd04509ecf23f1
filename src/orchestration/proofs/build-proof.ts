import { createHash } from 'node:crypto'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'
import { parsePatch } from './parse-patch.ts'
import type { Proof } from './proof-contract.ts'
import type { ProofRecord } from './proof-record.ts'
import { redact } from './redact.ts'

/** Characters of a difference that stand in the bundle itself. */
export const mostDiff = 1_048_576
/** Characters of what the task is told to do. */
const mostWork = 65_536

/** The bundle of a record. Nothing but the record goes into it: no clock, no order of arrival. */
export function buildProof(record: ProofRecord): Proof {
  const { run, task } = record
  return {
    format: 1,
    kind: 'leanvibe.proof-of-work',
    run: {
      id: run.id,
      workflow: run.workflow,
      version: run.version,
      state: run.state,
      repo: run.repo?.path ?? null,
      commit: run.repo?.commit ?? null,
      branch: run.repo?.branch ?? null,
      requestedBy: [...record.requestedBy],
    },
    task: {
      id: task.id,
      step: task.step,
      item: task.item,
      state: task.state,
      reason: clean(task.reason),
      error: problemOf(task.error),
      agent: task.agentId,
      pool: task.pool,
      work: { kind: record.spec.kind, text: redact(workOf(record.spec)).slice(0, mostWork) },
    },
    time: {
      createdAt: task.createdAt.toISOString(),
      startedAt: task.startedAt?.toISOString() ?? null,
      endedAt: task.endedAt?.toISOString() ?? null,
      wallSeconds: seconds(task.wallMs),
      cpuSeconds: seconds(task.cpuMs),
      maxRssBytes: task.maxRss,
    },
    attempts: attemptsOf(record),
    change: changeOf(record),
    commands: commandsOf(record),
    gates: record.gates.map(({ step, verdict }) => ({
      step,
      verdict: verdict.verdict,
      checks: verdict.checks.map((check) => {
        const found = check.evidence === undefined ? undefined : record.evidence.get(check.evidence)
        return {
          ...{ name: check.name, passed: check.passed, onFail: check.onFail, summary: redact(check.summary ?? '') },
          evidence:
            found === undefined
              ? null
              : { name: found.artifact.name, id: found.artifact.id, sha256: found.artifact.sha256 },
        }
      }),
    })),
    merges: record.merges.map(({ step, branch, state, target, candidate, reason }) => ({
      ...{ step, branch, state, from: target, to: candidate, reason: clean(reason) },
    })),
    approvals: inOrder(record.approvals).map((approval) => ({
      id: approval.id,
      step: approval.step,
      state: approval.state,
      message: redact(approval.message),
      by: approval.answeredBy,
      comment: clean(approval.comment),
      choice: approval.choice,
      text: clean(approval.text),
      at: approval.answeredAt,
      answers: approval.answers.map(({ by, decision, comment, at }) => ({ by, decision, comment: clean(comment), at })),
    })),
    questions: record.questions.map(({ id, message, state, answeredBy, choice, text, answeredAt }) => ({
      ...{ id, message: redact(message), state, by: answeredBy, at: answeredAt },
      answer: clean([choice, text].filter((part) => part !== null).join(': ') || null),
    })),
    toolCalls: record.toolCalls.map(({ attempt, startedAt, tool, kind, title, state, ...counts }) => ({
      ...{ attempt, at: startedAt, tool: redact(tool), kind, title: redact(title), state },
      ...{ calls: counts.calls, failed: counts.failed, refused: counts.refused, durationMs: counts.durationMs },
    })),
    cost: costOf(record),
    artifacts: record.artifacts.map(({ id, name, sha256, bytes }) => ({ id, name, sha256, bytes: Number(bytes) })),
  }
}

/** As they were answered, those without an answer last: ids of one moment are in no order. */
function inOrder(approvals: ProofRecord['approvals']): ProofRecord['approvals'] {
  const rank = ({ answeredAt, step, id }: ProofRecord['approvals'][number]) => `${answeredAt ?? '~'} ${step} ${id}`
  return approvals.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

/** The one text of a bundle, and its name. */
export function proofText(proof: Proof): { readonly text: string; readonly sha256: string } {
  const text = `${JSON.stringify(proof, null, 2)}\n`
  return { text, sha256: createHash('sha256').update(text).digest('hex') }
}

function changeOf({ diff }: ProofRecord): Proof['change'] {
  const patch = diff === null ? null : parsePatch(diff.text)
  if (diff === null || patch === null) return null
  const { id, sha256, bytes } = diff.artifact
  const text = redact(patch.text)
  return {
    base: patch.base,
    commit: patch.commit,
    added: patch.files.reduce((sum, file) => sum + file.added, 0),
    removed: patch.files.reduce((sum, file) => sum + file.removed, 0),
    files: patch.files.map((file) => ({ ...file, path: redact(file.path) })),
    diff: text.slice(0, mostDiff),
    cut: text.length > mostDiff,
    artifact: { id, sha256, bytes: Number(bytes) },
  }
}

function commandsOf({ task, spec, log, gates, evidence }: ProofRecord): Proof['commands'] {
  const own = { step: task.step, title: titleOf(spec), outcome: task.state, output: redact(log.text), cut: log.cut }
  const checks = gates.flatMap(({ step, verdict }) =>
    verdict.checks.flatMap((check) => {
      const found = check.evidence === undefined ? undefined : evidence.get(check.evidence)
      if (found === undefined) return []
      const outcome = check.passed ? 'passed' : 'failed'
      return [{ step, title: `check ${check.name}`, outcome, output: redact(found.text), cut: found.cut }]
    }),
  )
  return [own, ...checks]
}

function attemptsOf({ former, task }: ProofRecord): Proof['attempts'] {
  const past = former.map(({ attempt, outcome, agentId, error }) => ({
    ...{ attempt, outcome, agent: agentId, error: problemOf(error) },
  }))
  // What ended without success is among the former ones.
  if (task.state !== 'succeeded' || task.attempt === 0) return past
  return [...past, { attempt: task.attempt, outcome: 'succeeded', agent: task.agentId, error: null }]
}

/** What the gateway counted, and of models that were called past it what the agent says itself. */
function costOf({ spent, models, task, former }: ProofRecord): Proof['cost'] {
  const told = [...former.map(({ usage }) => usage), task.usage].flatMap((usage) => {
    const spending = usage?.spending as JsonObject | undefined
    const model = spending?.model
    if (typeof model !== 'string' || spending?.metered === true) return []
    const count = (name: string) => (typeof spending?.[name] === 'number' ? (spending[name] as number) : 0)
    const microUsd = typeof spending?.microUsd === 'number' ? spending.microUsd : null
    return [
      {
        model,
        provider: null,
        calls: null,
        inputTokens: count('inputTokens'),
        outputTokens: count('outputTokens'),
        microUsd,
      },
    ]
  })
  return { ...spent, models: [...models, ...told] }
}

function titleOf(spec: ResolvedTask): string {
  switch (spec.kind) {
    case 'command':
      return redact(spec.argv.join(' ')).slice(0, 2_000)
    case 'script':
      return spec.interpreter.join(' ')
    default:
      return spec.kind
  }
}

function workOf(spec: ResolvedTask): string {
  switch (spec.kind) {
    case 'command':
      return spec.argv.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : JSON.stringify(word))).join(' ')
    case 'script':
      return spec.script
    case 'agent':
      return spec.prompt
    case 'merge':
      return `${spec.commit} into ${spec.into}`
    case 'approval':
      return spec.message
    default:
      return ''
  }
}

function problemOf(error: { readonly code: string; readonly message: string } | null): Proof['task']['error'] {
  return error === null ? null : { code: error.code, message: redact(error.message) }
}

function clean(text: string | null): string | null {
  return text === null ? null : redact(text)
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms) / 1_000
}
