/** A process for the tests: locks the folder of its argument, says how that went, and keeps it until it is killed or told to release. */
import { isAppError } from '../../kernel/errors.ts'
import { lockFolder } from './folder-lock.ts'

try {
  const lock = await lockFolder(process.argv[2]!)
  process.stdout.write('locked\n')
  for await (const _ of process.stdin);
  await lock.release()
} catch (error) {
  if (!isAppError(error, 'data-folder-locked')) throw error
  process.stdout.write(`refused ${error.details.pid}\n`)
}
