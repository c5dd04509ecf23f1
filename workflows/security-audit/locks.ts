import { readFiles } from '../kit/read-repository.ts'
import { runProgram, type Step } from '../repo-checkup/program.ts'
import { plural } from '../repo-checkup/result.ts'
import { type Drift, findDrift } from './lock-rules.ts'

export interface LocksFacts {
  /** Manifests that have a lock file. */
  readonly compared: number
  readonly drift: readonly Drift[]
  readonly driftCount: number
  readonly insecure: readonly string[]
}

const wanted =
  /(^|\/)(package\.json|package-lock\.json|npm-shrinkwrap\.json|Cargo\.(toml|lock)|go\.(mod|sum)|composer\.(json|lock))$/

export const locks: Step<LocksFacts> = {
  name: 'locks',
  about: 'Manifests that their lock files do not match, and locked packages that cannot be verified.',
  async run(context) {
    const { files, limits } = await readFiles(context, (path, { role }) => wanted.test(path) && role !== 'vendored')
    const { drift, compared, insecure } = findDrift(files)
    const evidence = drift.map(({ manifest, what }) => `${manifest}: ${what}`).slice(0, 10)
    const findings = [
      ...(drift.length === 0
        ? []
        : [
            {
              id: 'locks/drift',
              score: 60,
              title: `${plural(drift.length, 'dependency does', 'dependencies do')} not match the lock file`,
              why: 'What is tested is not what the manifest says, and the next install may bring something that nobody has looked at.',
              next: 'Install anew and commit the lock file; install in CI by the lock file alone (npm ci, --locked, --frozen-lockfile).',
              evidence,
            },
          ]),
      ...(insecure.length === 0
        ? []
        : [
            {
              id: 'locks/unverified',
              score: 75,
              title: `${plural(insecure.length, 'locked package')} cannot be verified`,
              why: 'Whoever is between you and the registry can put another package in their place.',
              next: 'Lock them again from an https registry, so that each has an integrity.',
              evidence: insecure.slice(0, 10),
            },
          ]),
    ]
    return { facts: { compared, drift: drift.slice(0, 50), driftCount: drift.length, insecure }, findings, limits }
  },
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(locks, argv)

if (import.meta.main) await main(process.argv.slice(2))
