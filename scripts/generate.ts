// Writes the generated files, or with --check says which are not as the code would make them.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatedFiles } from './generated-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const check = process.argv.includes('--check')

for (const { path, make } of generatedFiles) {
  const file = join(root, path)
  const wanted = await make()
  const present = await readFile(file, 'utf8').catch(() => null)
  if (present === wanted) continue
  if (check) {
    console.error(`${path} is not what the code makes; next: npm run generate`)
    process.exitCode = 1
  } else {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, wanted)
    console.log(`wrote ${path}`)
  }
}
