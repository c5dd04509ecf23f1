// Runs the whole test suite and ends with one line, `N passed, N failed`, on which nothing follows.
// Arguments are passed on to vitest: `npm test -- src/foundation/kernel`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesToLookAt, settle } from './second-look.ts'
import { totalsOf } from './test-reporter.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const limitMinutes = 60
const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1' }

function runVitest(args, summaryFile, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--reporter',
        join(root, 'scripts/test-reporter.ts'),
        ...args,
      ],
      {
        cwd: root,
        env: { ...env, ...plain, TEST_SUMMARY_FILE: summaryFile },
        stdio: ['ignore', 'inherit', 'inherit'],
        detached: true,
      },
    )
    const endGroup = (signal) => {
      try {
        process.kill(-child.pid, signal)
      } catch (error) {
        if (error.code !== 'ESRCH') throw error // the group is gone already
      }
    }
    const limit = setTimeout(() => {
      console.error(`test: no end after ${limitMinutes} minutes; stopping`)
      endGroup('SIGKILL')
    }, limitMinutes * 60_000)
    // The group is our own, so an interrupt at the terminal reaches only this process.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => endGroup(signal))
    child.on('error', (error) => {
      console.error(`test: vitest could not be started: ${error.message}`)
      resolve({ code: 127, signal: null })
    })
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      if (signal) console.error(`test: vitest ended by ${signal}`)
      resolve({ code, signal })
    })
  })
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null // vitest ended before it could write the totals
  }
}

/** What speaks against the run, in words. */
function judge(summary, isSettled, ended) {
  if (summary === null) return ['the run ended before its totals were known']
  const reasons = []
  const { passed, failed, skipped } = totalsOf(summary)
  if (failed > 0) reasons.push(`${failed} failed`)
  if (summary.unfinished > 0) reasons.push(`${summary.unfinished} files did not come to their end`)
  if (passed === 0) reasons.push('no test passed: a run of nothing proves nothing')
  if (process.env.CI && skipped > 0) {
    const names = summary.files.flatMap(({ file, skippedNames }) => skippedNames.map((name) => `  ${file} > ${name}`))
    reasons.push(`${skipped} skipped, and under CI nothing may be:`, ...names)
  }
  if (reasons.length === 0 && !isSettled && ended.code !== 0)
    reasons.push(`vitest ended with ${ended.signal ?? `exit code ${ended.code}`}`)
  return reasons
}

/**
 * Runs alone, once more, the few files that failed beside the others. What passes then is counted as passed and named in
 * the last lines: its waits are tuned to a quiet machine, or it races, and somebody should look at it.
 */
async function lookAgain(first, files, args, file) {
  console.error(`test: once more, each alone: ${files.join(', ')}`)
  rmSync(file, { force: true })
  // How long the files take is known from the first look.
  const { TEST_DURATIONS_FILE: _, ...env } = process.env
  const ended = await runVitest([...args, '--no-file-parallelism', ...files], file, env)
  const { unsteady, ...settled } = settle(first, readSummary(file), ended)
  for (const { file, text } of unsteady)
    console.error(`test: unsteady, failed beside the others and passed alone: ${file}\n${text}`)
  return settled
}

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-test-'))
try {
  const file = join(folder, 'summary.json')
  const args = process.argv.slice(2)
  const ended = await runVitest(args, file)
  let summary = readSummary(file)
  let isSettled = false
  const again = filesToLookAt(summary, ended, args)
  if (again.length > 0) {
    const { files, isGood } = await lookAgain(summary, again, args, file)
    summary = { ...summary, files }
    isSettled = isGood
  }
  // Told again at the end: thousands of lines may lie between a failure and here.
  for (const entry of summary?.files ?? [])
    if (entry.failed > 0) console.error(`test: FAIL ${entry.file}\n${entry.text}`)
  const reasons = judge(summary, isSettled, ended)
  for (const reason of reasons) console.error(`test: ${reason}`)
  process.exitCode = reasons.length === 0 ? 0 : 1
  const { passed, failed, skipped } = summary === null ? { passed: 0, failed: 1, skipped: 0 } : totalsOf(summary)
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
