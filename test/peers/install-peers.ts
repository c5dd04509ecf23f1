import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** Whether the programs of the package.json beside this file are installed. */
export function arePeersInstalled(): boolean {
  return existsSync(new URL('node_modules/.bin/gemini', import.meta.url))
}

/** Installs them; half a gigabyte, so only where tests that drive them are wanted. */
export async function installPeers(): Promise<void> {
  if (arePeersInstalled()) return
  await new Promise<void>((resolve, reject) => {
    const options = { cwd: folder, timeout: 400_000, maxBuffer: 16_777_216 }
    // Not `npm ci`: that refuses the lockfile where a registry lacks the optional packages of other platforms.
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--no-engine-strict']
    execFile('npm', args, options, (error, stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Error(`the programs of test/peers could not be installed: ${error.message}\n${stderr}${stdout}`))
    })
  })
}
