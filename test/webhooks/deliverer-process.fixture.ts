import { ruleLanguage } from '../../src/app/rule-language.ts'
import { createSigningKeys, createWebhooks } from '../../src/external-api/webhooks/index.ts'
import { armFailpoints } from '../../src/foundation/kernel/failpoints.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'

/** A replica that does nothing but turn events into deliveries and send them, until it is killed. */
const { DELIVERER_DATABASE_URL: url, DELIVERER_FAILPOINTS: failpoints } = process.env
if (failpoints !== undefined && failpoints !== '') armFailpoints(failpoints)
const onError = (error: unknown) => console.error(error)
const database = await openDatabase({ kind: 'postgres', url: url!, poolSize: 3, migrate: false })
startTicker(database, { onError })
createWebhooks({
  database,
  keys: createSigningKeys(Buffer.alloc(32, 3)),
  language: ruleLanguage,
  actions: {
    startRun: () => Promise.reject(new Error('nothing is routed here')),
    requireRun: () => Promise.reject(new Error('nothing is routed here')),
  },
  readSecret: () => Promise.reject(new Error('there are no secrets here')),
  secretNames: [],
  allow: ['127.0.0.1'],
  leaseMs: 700,
  onError,
}).start()
console.log('started')
setInterval(() => {}, 60_000)
