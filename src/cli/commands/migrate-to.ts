import type { MoveResult } from '../../app/migrate/move-database.ts'
import type { MovePlace } from '../../app/migrate/move-place.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { usageError } from '../failure.ts'
import { createMigrateProgress } from '../migrate-progress.ts'
import { plural } from '../text.ts'

interface Options {
  readonly takeBack?: boolean
}

export const migrateTo: CliCommand = {
  configure(command, act) {
    command
      .argument('[place]', 'postgres://USER:PASSWORD@HOST/DATABASE, or a data folder for an embedded database')
      .option('--take-back', 'make the configured database, which was moved away, the one that counts again')
      .addHelpText(
        'after',
        '\nMoves the database of this project: runs in flight, schedules, budgets, events, artifacts, all of it. Stop the server first.' +
          '\nThe former place is kept as it was, and refuses to be opened. A move that broke off is simply repeated.',
      )
      .action(act(run))
  },
}

async function run(context: CliContext, place: string | undefined, { takeBack = false }: Options): Promise<void> {
  if ((place === undefined) === !takeBack) throw usageError('say either a place to move to, or --take-back')
  const loaded = await load(context)
  const onWarning = (error: unknown) => context.out.note(`warning: ${loaded.secrets.mask(String(error))}`)
  const { parseMovePlace } = await import('../../app/migrate/move-place.ts')
  const target = place === undefined ? null : parseMovePlace(place, context.cwd)
  const mover = await import('../../app/migrate/move-database.ts')
  if (target === null) return tellTakenBack(context, await mover.takeBack(loaded, { onWarning }))
  const progress = createMigrateProgress(context.out)
  try {
    const { signal } = context.interrupts
    const result = await mover.moveDatabase(loaded, target, { signal, onProgress: progress.tell, onWarning })
    progress.end()
    tell(context, result, target)
  } finally {
    progress.end()
  }
}

function tell({ out }: CliContext, result: MoveResult, place: MovePlace): void {
  const { from, to, copied, blobs, blobsStay } = result
  out.document({ type: 'moved', ...result })
  out.lines(`moved        ${from}`, `to           ${to}`)
  if (copied === null) out.lines('             an earlier call had copied everything: this one has only noted it')
  else {
    out.lines(
      `rows         ${copied.rows.toLocaleString('en')} in ${plural(copied.tables, 'table')}`,
      `checked      rows and contents of every table, the sums of all budgets, and the chain of ${plural(copied.log.events, 'event')}`,
      `             ${copied.log.head === '' ? 'no event to read' : `ends in ${copied.log.head}`}`,
    )
  }
  if (blobsStay !== null) out.lines(`blobs        stay where leanvibe.yaml or LEANVIBE_BLOBS says (${blobsStay})`)
  else if (blobs !== null)
    out.lines(`blobs        ${plural(blobs.blobs, 'blob')}, ${blobs.bytes.toLocaleString('en')} bytes`)
  out.lines('', ...adviceFor(place), `${from} is kept as it was, and is not opened any more.`)
}

function adviceFor(place: MovePlace): readonly string[] {
  if (place.kind === 'postgres') {
    return [
      'What to do now:',
      '  set DATABASE_URL in the environment of `leanvibe serve` to the URL you gave; it is a secret and does not belong',
      '  into leanvibe.yaml. There, `database: { kind: pglite }` has to go, and may be: `database: { kind: postgres }`',
    ]
  }
  return [
    'What to do now:',
    '  unset DATABASE_URL, and name the folder: `data: FOLDER` in leanvibe.yaml, or LEANVIBE_DATA, with',
    `  ${place.folder}`,
    '  In leanvibe.yaml, `database: { kind: postgres }` and its settings have to go.',
  ]
}

function tellTakenBack({ out }: CliContext, was: boolean): void {
  out.document({ type: 'taken-back', was })
  out.lines(
    was
      ? 'this database is open again; whatever happened since at the place it was moved to is not here'
      : 'this database has not moved',
  )
}
