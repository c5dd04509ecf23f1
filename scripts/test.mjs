// Runs the whole test suite and ends with one line, `N passed, N failed`, on which nothing follows.
// Arguments are passed on to vitest: `npm test -- src/foundation/kernel`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const limitMinutes = 60
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

const folder = mkdtempSync(join(tmpdir(), 'leanvibe-test-'))
try {
  const file = join(folder, 'summary.json')
  const code = await runVitest(process.argv.slice(2), file)
  const summary = readSummary(file)
  const reasons = judge(summary, code)
  for (const reason of reasons) console.error(`test: ${reason}`)
  process.exitCode = reasons.length === 0 ? 0 : 1
  const { passed, failed, skipped } = summary ?? { passed: 0, failed: 1, skipped: 0 }
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
