// Makes a fresh clone ready: installs the dependencies when they are missing or not those of the lockfile.
// Plain JavaScript that runs on Node 20, because it runs before the Node 24 of devDependencies is there.
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// Warnings are about the engines of packages that only Node 24 will run; an outer engine-strict would refuse them.
const npmOptions = ['--no-audit', '--no-fund', '--no-engine-strict', '--loglevel=error']
const networkFault =
  /\b(ECONNRESET|ECONNREFUSED|ETIMEDOUT|ESOCKETTIMEDOUT|EAI_AGAIN|ENOTFOUND|ENETUNREACH|EPIPE|E5\d\d|socket hang up|network (?:timeout|error|request))\b/i

/** True when node_modules holds what the lockfile says, as npm itself recorded it at the end of its last install. */
function isInstalled() {
  const wanted = readPackages(join(root, 'package-lock.json'))
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === null || present === null) return false
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '') continue
    const found = present[path]
    if (found ? found.version !== version : !optional) return false
  }
  return existsSync(join(root, 'node_modules', '.bin', 'node'))
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null
  } catch {
    return null // missing or cut short: either way not a finished install
  }
}

/** PATH without any node_modules: `npm ci` deletes the Node it would otherwise run on. */
function outerPath() {
  const entries = (process.env.PATH ?? '').split(delimiter)
  return entries.filter((entry) => !entry.split(sep).includes('node_modules')).join(delimiter)
}

function findOnPath(name, path) {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // not in this folder
    }
  }
  return null
}

function install() {
  const path = outerPath()
  const node = findOnPath('node', path) ?? process.execPath
  const npm = process.env.npm_execpath
  const [command, prefix] = npm?.endsWith('.js') ? [node, [npm]] : ['npm', []]
  return new Promise((resolve) => {
    const started = Date.now()
    const child = spawn(command, [...prefix, 'ci', ...npmOptions], {
      cwd: root,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    const ticker = setInterval(() => say(`still installing (${Math.round((Date.now() - started) / 1000)} s)`), 10_000)
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors = (errors + chunk).slice(-100_000)
      process.stderr.write(chunk)
    })
    const finish = (code) => {
      clearInterval(ticker)
      resolve({ code, errors, seconds: Math.round((Date.now() - started) / 1000) })
    }
    child.on('error', (error) => {
      errors += error.message
      finish(127)
    })
    child.on('close', (code) => finish(code ?? 1))
  })
}

/** The image of an empty database, on the new Node; without it the first data folder takes some seconds more. */
function prepareImage() {
  const node = join(root, 'node_modules', '.bin', 'node')
  const child = spawn(node, [join(root, 'scripts', 'prepare-image.ts')], {
    cwd: root,
    stdio: 'ignore',
    timeout: 60_000,
  })
  return new Promise((resolve) => child.on('error', resolve).on('close', resolve))
}

function say(text) {
  console.error(`setup: ${text}`)
}

async function setUp() {
  if (isInstalled()) return 0
  say('installing dependencies from package-lock.json; the first time takes about half a minute')
  let result = await install()
  if (result.code !== 0 && networkFault.test(result.errors)) {
    say('the network failed; trying once more')
    result = await install()
  }
  if (result.code !== 0) {
    say(`npm ci failed with exit code ${result.code}; its own words are above`)
    say('next: check the connection to the npm registry (npm ping), then run the same command again')
    return 1
  }
  if (!isInstalled()) {
    say('npm ci ended well, yet node_modules does not match package-lock.json')
    say(
      'next: remove node_modules and run the same command again; with npm 11 or later check that install scripts are allowed',
    )
    return 1
  }
  await prepareImage()
  say(`done in ${result.seconds} s`)
  return 0
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  say(`Node ${process.versions.node} is too old to set up with; install Node 20 or newer (24 is then fetched by npm)`)
  process.exitCode = 1
} else {
  process.exitCode = await setUp()
}
