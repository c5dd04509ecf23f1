import type { TenantId } from '../../kernel/ids.ts'
import { roles } from './roles.ts'
import type { Role, Statement } from './session.ts'

/** Opens a transaction, as `role` where the session is not of that role by itself, for the tenant if there is one. */
export function beginStatements(role: Role | null, tenant: TenantId | null, readOnly: boolean): readonly Statement[] {
  const begin = readOnly ? { name: 'begin-read', text: 'begin read only' } : { name: 'begin', text: 'begin' }
  const settings = Object.entries({
    ...(role === null ? {} : { role: roles[role] }),
    ...(tenant === null ? {} : { 'app.tenant': tenant }),
  })
  if (settings.length === 0) return [begin]
  const calls = settings.map(([name], n) => `set_config('${name}', $${n + 1}, true)`)
  const names = settings.map(([name]) => name).join('-')
  return [
    begin,
    { name: `set-${names}`, text: `select ${calls.join(', ')}`, values: settings.map(([, value]) => value) },
  ]
}
