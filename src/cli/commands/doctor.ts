import { configuredGit } from '../../app/leftovers.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { type Check, checksOr } from '../doctor/check.ts'
import { checkConfig, checkDatabase, checkDataFolder, checkServer } from '../doctor/check-data.ts'
import { checkAgents, checkEnforcement, checkGit, checkNode, checkPlatform } from '../doctor/check-host.ts'
import { checkLeftovers } from '../doctor/check-leftovers.ts'
import { checkPlaces } from '../doctor/check-places.ts'
import { checkPools } from '../doctor/check-pools.ts'
import { checkTools } from '../doctor/check-tools.ts'
import { printable } from '../text.ts'

export const doctor: CliCommand = {
  configure(command, act) {
    command.option('--fix', 'remove what crashes have left behind').action(act(run))
  },
}

async function run(context: CliContext, { fix = false }: { fix?: boolean }): Promise<number> {
  const { check, loaded } = await checkConfig(() => load(context))
  const checks: Check[] = [checkNode(), checkPlatform(), await checkGit(configuredGit(context)), check]
  if (loaded !== null) {
    const folder = loaded.config.dataFolder
    checks.push(await checkDataFolder(folder))
    checks.push(...(await checksOr('server', async () => [await checkServer(folder)])), await checkDatabase(loaded))
    checks.push(...(await checksOr('leftovers', () => checkLeftovers(loaded, fix))))
    checks.push(...(await checkTools(loaded)))
    checks.push(...(await checksOr('pools', () => checkPools(loaded))))
    checks.push(...(await checksOr('containers', () => checkPlaces(loaded))))
  }
  checks.push(await checkAgents(context.env), ...(await checkEnforcement(context.env.path)))
  return tell(context, checks)
}

function tell({ out }: CliContext, checks: readonly Check[]): number {
  const { colors } = out
  const marks = { ok: colors.green('✔'), note: colors.dim('·'), warn: colors.yellow('!'), bad: colors.red('✖') }
  for (const check of checks) out.document(check)
  const width = Math.max(...checks.map(({ name }) => name.length))
  for (const { status, name, detail, next } of checks) {
    out.lines(
      `${marks[status]} ${name.padEnd(width)}  ${printable(detail).replaceAll('\n', `\n  ${' '.repeat(width)}  `)}`,
    )
    if (next !== undefined && status !== 'ok')
      out.lines(`  ${' '.repeat(width)}  ${colors.cyan('next')} ${printable(next)}`)
  }
  return checks.some(({ status }) => status === 'bad') ? 69 : 0
}
