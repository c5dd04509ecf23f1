import { type DependenciesFacts, describeDependencies, type ReadManifest } from './dependencies-facts.ts'
import { dependencyFindings } from './dependencies-findings.ts'
import { baseName, showBytes } from './git/path-name.ts'
import { listHeadFiles, noSkips, readTextFiles, type TextFile } from './head-files.ts'
import { parseComposerLock } from './manifests/composer.ts'
import { findParser } from './manifests/find-parser.ts'
import { type LockedPackage, parsePackageLock } from './manifests/npm.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'
import { identifyLicence } from './rules/licences.ts'

const licenceName = /^(licen[cs]es?|copying|unlicense|mit-license)([._-][^.]*)*(\.(txt|md|markdown|rst|adoc|html?))?$/i
const wantedLocks = new Set(['package-lock.json', 'npm-shrinkwrap.json', 'composer.lock'])

export const dependencies: Step<DependenciesFacts> = {
  name: 'dependencies',
  about: 'Manifests, how firmly they name versions, lock files, licences of this repository and of what it locks.',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const own = files.filter((file) => file.role !== 'vendored' && file.role !== 'generated')
    const wanted = own.filter(
      (file) =>
        wantedLocks.has(baseName(file.path)) ||
        licenceName.test(baseName(file.path)) ||
        (file.role !== 'test' && findParser(file.path) !== null),
    )
    const read: ReadManifest[] = []
    const locked: LockedPackage[] = []
    const licenceFiles: { path: string; licence: string | null }[] = []
    const unreadable: string[] = []
    const skips = noSkips()
    const limits = { maxFileBytes: 20_000_000, maxTotalBytes: 3e8, expired, signal }
    for await (const file of readTextFiles(repository, wanted, limits, skips)) {
      progress(showBytes(file.path))
      try {
        readOne(file, read, locked, licenceFiles)
      } catch (error) {
        // A manifest that its own tool could not read either; the rest goes on and the report names it.
        if (!(error instanceof SyntaxError)) throw error
        unreadable.push(showBytes(file.path))
      }
    }
    const facts = describeDependencies({
      manifests: read,
      locked,
      licenceFiles,
      unreadable,
      paths: files.map((file) => file.path),
    })
    const said = [
      'Direct dependencies only, as the manifests write them; no registry was asked, so outdated versions and known vulnerabilities are not told.',
    ]
    if (unreadable.length > 0) said.push(`${plural(unreadable.length, 'manifest')} could not be read.`)
    if (skips.notReached > 0)
      said.push(`${plural(skips.notReached, 'manifest')} were not read: the time or size limit was reached.`)
    return { facts, findings: dependencyFindings(facts), limits: said }
  },
}

function readOne(
  file: TextFile,
  read: ReadManifest[],
  locked: LockedPackage[],
  licenceFiles: { path: string; licence: string | null }[],
): void {
  const name = baseName(file.path)
  const text = Buffer.from(file.text, 'latin1').toString('utf8')
  if (name === 'composer.lock') locked.push(...parseComposerLock(text))
  else if (wantedLocks.has(name)) locked.push(...parsePackageLock(text))
  else if (licenceName.test(name)) licenceFiles.push({ path: showBytes(file.path), licence: identifyLicence(text) })
  else {
    const manifest = findParser(file.path)!(text)
    if (manifest.dependencies.length > 0 || manifest.licence !== null || manifest.name !== null)
      read.push({ path: file.path, manifest })
  }
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(dependencies, argv)

if (import.meta.main) await main(process.argv.slice(2))
