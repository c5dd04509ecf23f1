import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'

const mostBytes = 10 * 1_048_576

/** A log that makes its file with the first line, keeps it to its owner, and starts anew at 10 MB (one former is kept). */
export function createFileLog(path: string): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      // Lines are rare and must survive a crash that follows: they are written before anything else happens.
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > mostBytes) renameSync(path, `${path}.old`)
        appendFileSync(path, text, { mode: 0o600 })
        done()
      } catch {
        // A full disk must not turn a logged failure into a crash; the failure itself is told by other ways.
        done()
      }
    },
  })
}
