import { expect, test } from 'vitest'
import { eachDatabase } from '../../../../test/support/databases.ts'

eachDatabase('the schema of the package', (use) => {
  test('opens', async () => {
    expect((await use().owner('select count(*) from migrations'))[0]).toBeDefined()
  })
})
