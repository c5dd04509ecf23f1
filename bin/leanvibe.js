#!/usr/bin/env node
// Plain JavaScript that also parses on old versions of Node: it finds a Node that can run the program, or says what to do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  // Where nothing works for long, the code of the embedded database is not optimised: that takes a third of the processor
  // time of such a call, and what it gains comes after its end. Before the compile cache, which is one for each set of flags.
  const { worksLong } = await import('./works-long.js')
  if (!worksLong(process.argv.slice(2))) {
    for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag)
  }
  // Saves two thirds of the start; where the folder cannot be written, nothing is saved and nothing is said.
  module.enableCompileCache(join(modulesFolder(), '.cache', 'leanvibe'))
  await import(pathToFileURL(findProgram()).href)
} else {
  runOnPinnedNode()
}

/** The node_modules of the checkout, or the one this package was installed into. */
function modulesFolder() {
  const own = join(root, 'node_modules')
  return existsSync(own) ? own : dirname(root)
}

/** The sources in a checkout; Node refuses TypeScript below node_modules, so an installed package has them built. */
function findProgram() {
  const source = join(root, 'src', 'cli', 'cli.ts')
  const built = join(root, 'dist', 'src', 'cli', 'cli.js')
  if (existsSync(source) && !root.split(sep).includes('node_modules')) return source
  if (existsSync(built)) return built
  console.error(`leanvibe: neither ${source} nor ${built} is there`)
  console.error('next: in a checkout run `npm run build`; otherwise install the package again')
  process.exit(70)
}

function runOnPinnedNode() {
  const pinned = [join(root, 'node_modules'), dirname(root)]
    .map((folder) => join(folder, 'node', 'bin', 'node'))
    .find((file) => existsSync(file))
  if (pinned === undefined) {
    console.error(`leanvibe: needs Node 22.18 or newer, but this is ${process.versions.node} (${process.execPath})`)
    console.error('next: install a newer Node, or add one to the project: npm install --save-dev node@24')
    process.exit(69)
  }
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A signal from the terminal reaches the child by itself; one sent to this process is passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.on('SIGINT', () => {})
  child.on('error', (error) => {
    console.error(`leanvibe: cannot start ${pinned}: ${error.message}`)
    process.exit(70)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
