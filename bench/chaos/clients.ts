// node bench/chaos/clients.ts [--clients 1000] [--seconds 60] [--json]: a crowd on one server, with SIGTERM at the end.
// With DATABASE_URL the server uses that PostgreSQL. The exit code is 1 where something was lost, cut or answered 5xx.
import { parseArgs } from 'node:util'
import { runCrowd } from './crowd.ts'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
})
const databaseUrl = process.env.DATABASE_URL
const report = await runCrowd({
  clients: Number(values.clients),
  seconds: Number(values.seconds),
  ...(databaseUrl === undefined ? {} : { databaseUrl }),
  note: (text) => console.error(`chaos: ${text}`),
})
console.log(values.json ? JSON.stringify(report) : JSON.stringify(report, null, 2))
const { events, faults, end } = report
if (
  faults.length > 0 ||
  events.lost > 0 ||
  events.doubled > 0 ||
  events.torn > 0 ||
  end.begun !== end.answered ||
  end.exitCode !== 0
)
  process.exitCode = 1
