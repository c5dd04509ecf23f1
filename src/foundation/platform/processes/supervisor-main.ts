import { armFailpoints } from '../../kernel/failpoints.ts'
import { AttemptWatch } from './attempt-watch.ts'
import { closeInheritedFiles } from './close-inherited-files.ts'
import { ProcessJournal } from './process-journal.ts'
import {
  jsonLines,
  type SupervisorReply,
  type SupervisorRequest,
  type SupervisorSettings,
} from './supervisor-protocol.ts'
import { processScope, systemProcessTable } from './system-process-table.ts'

// The supervisor: a program of its own, because it must outlive a runner that is killed, by as long as it takes to end
// what the runner had started. It leaves by itself when its standard input ends.
const settings = JSON.parse(process.argv[2] ?? '') as SupervisorSettings
if (settings.failpoints !== '') armFailpoints(settings.failpoints)

closeInheritedFiles()
const table = systemProcessTable()
const start = table.find(process.pid)?.start ?? ''
const journal = new ProcessJournal(settings.journal, {
  supervisor: { pid: process.pid, start },
  runner: settings.runner,
  scope: processScope(),
})
const watch = new AttemptWatch({
  table,
  journal,
  reply,
  excluded: new Set([process.pid, settings.runner.pid]),
})

let ending = false
function end(): void {
  if (ending) return
  ending = true
  watch.endAll(settings.orphanGraceMs).then(() => {
    journal.dispose()
    process.stdin.destroy()
  })
}

function reply(message: SupervisorReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

const onRequest = jsonLines<SupervisorRequest>((request) => {
  if (request.type === 'spawn') watch.start(request)
  else watch.stop(request.id, request.graceMs)
})

process.stdin.on('data', onRequest).on('end', end).on('error', end)
// The runner is gone; that is what the end of standard input will say.
process.stdout.on('error', () => {})
process.on('SIGTERM', end)
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
reply({ type: 'ready', pid: process.pid })
