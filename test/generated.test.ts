import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generatedFiles } from '../scripts/generated-files.ts'
import { root } from './meta/source-tree.ts'

test.each(generatedFiles.map((file) => [file.path, file] as const))('%s is what the code makes', async (path, file) => {
  const present = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : 'missing'
  expect(present, 'next: npm run generate').toBe(await file.make())
})
