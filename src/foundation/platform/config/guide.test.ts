import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { z } from '../../kernel/schema.ts'
import { configFileSchema } from './config-schema.ts'
import { envSettings } from './env.ts'

test('the guide names every setting and every variable', async () => {
  const guide = await readFile(new URL('../../../../docs/guides/configuration.md', import.meta.url), 'utf8')
  const names = Object.entries(configFileSchema.shape).flatMap(([name, schema]) => {
    const inner = (schema as z.ZodOptional<z.ZodType>).unwrap() as { shape?: Record<string, unknown> }
    return inner.shape === undefined ? [name] : Object.keys(inner.shape).map((key) => `${name}.${key}`)
  })
  expect(names.length).toBeGreaterThan(12)
  for (const name of [...names, ...Object.values(envSettings), 'DATABASE_URL']) expect(guide).toContain(`\`${name}\``)
})
