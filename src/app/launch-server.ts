import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { openConfigured } from './open-configured.ts'
import { lockDataFolder } from './prepare-data-folder.ts'
import type { RunningServer, ServerSettings } from './server.ts'

export type LaunchSettings = Pick<ServerSettings, 'work' | 'reach' | 'logger'>

/**
 * Starts the server of a configuration in this process. The database opens in its own thread, or on its own machine,
 * while the modules of the platform are read here: a third of a second is saved. Errors: those of `startServer`.
 */
export async function launchServer(loaded: LoadedConfig, settings: LaunchSettings): Promise<RunningServer> {
  const { work = true, logger } = settings
  const lock = await lockDataFolder(loaded.config.dataFolder)
  const onError = (error: unknown) => logger?.error({ error }, 'failure in the background')
  const opening = openConfigured(loaded, lock, onError, { brief: !work })
  // Whoever opens the platform hears of a failure; until then nobody listens.
  opening.catch(() => {})
  let taken = false
  try {
    const [{ startServer }, { openPlatform }] = await Promise.all([import('./server.ts'), import('./context.ts')])
    const openDatabase = () => {
      taken = true
      return opening
    }
    return await startServer(loaded, { ...settings, openPlatform, lock, openDatabase })
  } catch (error) {
    if (!taken) await opening.then((database) => database.close()).catch(() => {})
    await lock.release()
    throw error
  }
}
