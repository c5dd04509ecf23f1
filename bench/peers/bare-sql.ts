import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Contender } from '../harness/contender.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('bare-sql.mjs', import.meta.url))

/** The bare life cycle in SQL, batches of 200: what the database could do if there were nothing around it. */
export const bareSql: Contender = {
  name: 'bare-sql',
  async measure(url) {
    const { stdout } = await run(process.execPath, [program, '200'], { env: { ...process.env, DATABASE_URL: url } })
    const enqueued = Number(/enqueue\/s (\d+)/.exec(stdout)?.[1])
    const completed = Number(/: (\d+) tasks\/s/.exec(stdout)?.[1])
    if (!(enqueued > 0 && completed > 0)) throw new Error(`bare-sql.mjs printed no rates: ${stdout}`)
    return { enqueued, completed }
  },
}
