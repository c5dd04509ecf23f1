// Runs the whole test suite and ends with one line, `N passed, N failed`, on which nothing follows.
// Arguments are passed on to vitest: `npm test -- src/foundation/kernel`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const limitMinutes = 60
/** More failed files than these are no matter of a busy machine. */
const mayBeUnsteady = 3
const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1' }

function runVitest(args, summaryFile) {
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
        env: { ...process.env, ...plain, TEST_SUMMARY_FILE: summaryFile },
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
      resolve(127)
    })
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      if (signal) console.error(`test: vitest ended by ${signal}`)
      resolve(code ?? 1)
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

/** The exit code and the words that explain it. */
function judge(summary, vitestCode) {
  const reasons = []
  if (summary === null) reasons.push('the run ended before its totals were known')
  else {
    if (summary.failed > 0) reasons.push(`${summary.failed} failed`)
    if (summary.passed === 0) reasons.push('no test passed: a run of nothing proves nothing')
    if (process.env.CI && summary.skipped > 0) {
      reasons.push(
        `${summary.skipped} skipped, and under CI nothing may be:`,
        ...summary.skippedNames.map((name) => `  ${name}`),
      )
    }
  }
  if (reasons.length === 0 && vitestCode !== 0) reasons.push(`vitest ended with exit code ${vitestCode}`)
  return reasons
}

/**
 * Runs alone, once more, the few files that failed beside the others. What passes then is counted as passed and named in
 * the last lines: its waits are tuned to a quiet machine, or it races, and somebody should look at it.
 */
async function lookAgain(summary, args, file) {
  const failed = summary.failedFiles
  const whole = args.every((arg) => arg.startsWith('--'))
  if (!whole || failed.length === 0 || failed.length > mayBeUnsteady || summary.unhandled > 0) return null
  console.error(`test: once more, each alone: ${failed.map((entry) => entry.file).join(', ')}`)
  rmSync(file, { force: true })
  await runVitest([...args, '--no-file-parallelism', ...failed.map((entry) => entry.file)], file)
  return readSummary(file)
}

/** The totals after the second look: what passed then takes the place of what failed. */
function settle(first, second) {
  const still = new Set(second.failedFiles.map((entry) => entry.file))
  const unsteady = first.failedFiles.filter((entry) => !still.has(entry.file))
  const failed = second.failed
  return {
    summary: { ...first, failed, passed: first.passed + first.failed - failed, failedFiles: second.failedFiles },
    unsteady,
  }
}

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-test-'))
try {
  const file = join(folder, 'summary.json')
  const args = process.argv.slice(2)
  let code = await runVitest(args, file)
  let summary = readSummary(file)
  const second = summary && (await lookAgain(summary, args, file))
  if (second) {
    const settled = settle(summary, second)
    summary = settled.summary
    if (summary.failed === 0) code = 0
    for (const entry of settled.unsteady)
      console.error(`test: unsteady, failed beside the others and passed alone: ${entry.file}\n${entry.text}`)
  }
  // Told again at the end: thousands of lines may lie between a failure and here.
  for (const entry of summary?.failedFiles ?? []) console.error(`test: FAIL ${entry.file}\n${entry.text}`)
  const reasons = judge(summary, code)
  for (const reason of reasons) console.error(`test: ${reason}`)
  process.exitCode = reasons.length === 0 ? 0 : 1
  const { passed, failed, skipped } = summary ?? { passed: 0, failed: 1, skipped: 0 }
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
