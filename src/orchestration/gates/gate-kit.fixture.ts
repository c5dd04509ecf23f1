import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeRepository, rawGit } from '../../foundation/platform/git/git.fixture.ts'
import type { AttemptReport } from '../runners/exchange-contract.ts'
import { MemoryExchange } from '../runners/memory-exchange.fixture.ts'
import { gateSpec, RunnerKit } from '../runners/runner-kit.fixture.ts'
import type { ResolvedBuiltInCheck, ResolvedCheck } from '../workflows/task-contract.ts'
import type { BuiltInCheck } from './checks-contract.ts'
import { type CheckReport, gateVerdict } from './gate-verdict-contract.ts'

/** A check that comes with the program, as a workflow that says no more than its name asks for it. */
export function check(kind: BuiltInCheck, more: Partial<ResolvedBuiltInCheck> = {}): ResolvedBuiltInCheck {
  const nothing = { onFail: null, command: null, setup: null, report: null, min: null, max: null }
  return { name: kind, check: kind, ...nothing, ...more }
}

export type GateKit = ReturnType<typeof openGateKit>

/** A repository, and a runner that does the checks of gates over its commits. */
export function openGateKit(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const kit = new RunnerKit()
  const repository = join(kit.folder, 'repository')
  const first = makeRepository(repository, files)
  const hosted = { ...kit.commandAgent(), env: { PATH: process.env.PATH ?? '', HOME: kit.folder, ...env } }
  const port = new MemoryExchange([hosted.registration], basename(kit.folder))
  kit.runner(port, [hosted], { pollMs: 50 })

  const opened = {
    kit,
    repository,
    gate: (base: string, ...checks: ResolvedCheck[]) => opened.gateFrom(first, base, ...checks),
    first,
    commitAs(changed: Readonly<Record<string, string>>): string {
      for (const [name, text] of Object.entries(changed)) {
        mkdirSync(dirname(join(repository, name)), { recursive: true })
        writeFileSync(join(repository, name), text)
      }
      rawGit(repository, 'add', '--all')
      rawGit(repository, 'commit', '--quiet', '--message=change')
      return rawGit(repository, 'rev-parse', 'HEAD')
    },
    /** The gate over a commit of a run that began at `commit`. */
    async gateFrom(commit: string, base: string, ...checks: ResolvedCheck[]) {
      const spec = gateSpec(checks, { workspace: 'worktree', base })
      const before = port.accepted.length
      const id = port.enqueue(spec, { repo: { path: repository, commit } })
      await port.settled(before + 1)
      const report: AttemptReport = port.reportOf(id)!
      const found = (report.output as { checks?: CheckReport[] } | null)?.checks ?? []
      const evidence = (name: string) => {
        const artifact = report.artifacts.find((one) => one.name === `gate/step/${name}.txt`)
        return artifact === undefined ? null : kit.artifacts.blobs.get(artifact.blob)!.toString()
      }
      return {
        report,
        checks: Object.fromEntries(found.map((one) => [one.name, one])),
        evidence,
        verdict: gateVerdict(spec, report.output),
      }
    },
  }
  return opened
}
