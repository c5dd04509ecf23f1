import { connectNats, relayState, startRelay } from '../../src/external-api/streams/index.ts'
import { armFailpoints } from '../../src/foundation/kernel/failpoints.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'

/** A replica that does nothing but relay the log to NATS, until it is killed. */
const { RELAY_DATABASE_URL: url, RELAY_NATS_URL: natsUrl, RELAY_FAILPOINTS: failpoints } = process.env
if (failpoints !== undefined && failpoints !== '') armFailpoints(failpoints)
const onError = (error: unknown) => console.error(error)
const database = await openDatabase({ kind: 'postgres', url: url!, poolSize: 2, migrate: false })
const link = await connectNats({ url: natsUrl!, keepMs: 3_600_000, onError })
startRelay({ database, link, state: relayState(), batch: 50, standbyMs: 200, onError })
console.log('started')
