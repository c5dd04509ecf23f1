// Loaded before the program (`node --import`): the wall clock of the process is wrong by as many milliseconds as the file
// says that CHAOS_CLOCK names. SIGUSR2 reads it again, so that a clock can also jump while the process runs.
import { readFileSync } from 'node:fs'

const file = process.env.CHAOS_CLOCK
const RealDate = Date
let offset = 0

function read() {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    offset = 0 // not written yet: the clock is right
  }
}

if (file !== undefined && process.argv[1]?.endsWith('leanvibe.js')) {
  read()
  process.on('SIGUSR2', read)
  globalThis.Date = class ShiftedDate extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + offset)
      else super(...args)
    }

    static now() {
      return RealDate.now() + offset
    }
  }
}
