// Makes the image from which new data folders start, unless it is there: in the cache of the checkout, or in --out FOLDER.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareImage } from '../src/foundation/platform/database/pglite/image.ts'

const { values } = parseArgs({ options: { out: { type: 'string' } } })
await prepareImage(values.out === undefined ? {} : { cacheFolder: resolve(values.out) })
