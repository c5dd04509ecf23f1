import { existsSync } from 'node:fs'

/** Whether the programs of package.json beside this file are installed: `npm run test:peers` does that. */
export const peersThere = existsSync(new URL('node_modules/.bin/gemini', import.meta.url))
