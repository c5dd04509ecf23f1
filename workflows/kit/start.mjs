// Starts one program of the built-in workflows: node start.mjs FOLDER/NAME [arguments]. In a checkout the TypeScript sources
// run as they are; Node refuses them below node_modules, so an installed package has them built.
import { existsSync } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(import.meta.url)
const [name = '', ...rest] = process.argv.slice(process.argv[1]?.endsWith('start.mjs') ? 2 : 1)
const built = here.split(sep).includes('node_modules')
const place = new URL(built ? `../../dist/workflows/${name}.js` : `../${name}.ts`, import.meta.url)

if (!/^[a-z]+(-[a-z]+)*\/[a-z]+(-[a-z]+)*$/.test(name) || !existsSync(place)) {
  console.error(`error: there is no program ${JSON.stringify(name)}; next: see the folders beside ${here}`)
  process.exitCode = 65
} else {
  const program = await import(place.href)
  await program.main(rest)
}
