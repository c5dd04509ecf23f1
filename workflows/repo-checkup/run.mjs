// Starts one program of this folder: node run.mjs NAME [arguments]. In a checkout the TypeScript sources run as they are;
// Node refuses them below node_modules, so an installed package has them built.
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const programs = [
  ...['survey', 'inventory', 'churn', 'ownership', 'dependencies', 'secrets', 'secrets-history', 'bulk'],
  ...['duplicates', 'todos', 'tests', 'folder', 'report'],
]
const here = fileURLToPath(import.meta.url)
const [name, ...rest] = process.argv.slice(process.argv[1]?.endsWith('run.mjs') ? 2 : 1)

if (!programs.includes(name)) {
  console.error(`error: there is no program ${JSON.stringify(name ?? '')}`)
  console.error(`next: use one of ${programs.join(', ')}`)
  process.exitCode = 65
} else {
  const built = here.split(sep).includes('node_modules')
  const place = built ? `../../dist/workflows/repo-checkup/${name}.js` : `./${name}.ts`
  const program = await import(new URL(place, import.meta.url).href)
  await program.main(rest)
}
