import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAppError } from '../../kernel/errors.ts'
import { type Config, type ConfigFlags, shapeConfig } from './config.ts'
import { parseConfigFile } from './config-file.ts'
import { readEnv } from './env.ts'
import { createSecrets, Secret } from './secrets.ts'

interface Given {
  readonly yaml?: string
  readonly env?: Record<string, string>
  readonly flags?: ConfigFlags
}

function shape({ yaml, env = {}, flags = {} }: Given): Config {
  const file = yaml === undefined ? null : parseConfigFile('leanvibe.yaml', yaml)
  const project = { root: '/work/shop', configFile: file === null ? null : '/work/shop/leanvibe.yaml' }
  return shapeConfig({ env: readEnv(env), file, project, cwd: '/work/shop/src', flags, cores: 4 })
}

function refusal(given: Given): string {
  try {
    shape(given)
  } catch (error) {
    if (isAppError(error, 'config-invalid')) return error.message
    throw error
  }
  throw new Error('it was accepted')
}

describe('defaults', () => {
  test('need nothing', () => {
    const config = shape({})
    expect(config).toMatchObject({
      dataFolder: '/work/shop/.leanvibe',
      workflowFolder: '/work/shop/workflows',
      database: { kind: 'pglite' },
      server: { host: '127.0.0.1', port: 0 },
      parallel: null,
      checkpointEveryMs: null,
      warnings: [],
    })
    expect(config.pools).toMatchObject([{ name: 'local', agents: 4, agent: null, capabilities: ['command', 'script'] }])
    expect(parseConfigFile('x', '# only a comment\n').values).toEqual({})
  })

  test('are frozen to the ground', () => {
    const config = shape({ yaml: 'pools: { a: { command: [a], labels: { x: y } } }' })
    expect(() => Object.assign(config.pools[1]!.labels, { x: 'z' })).toThrow(TypeError)
    expect(() => Object.assign(config, { parallel: 1 })).toThrow(TypeError)
  })

  test('what pools and machine hand out is in cores, bytes and bytes a second', () => {
    const config = shape({
      yaml: 'resources: { cpu: 8 }\npools: { a: { command: [a], taints: [t], region: eu, resources: { memory: 1GB, network: 8 } } }',
    })
    expect(config.resources).toEqual({ cpu: 8 })
    expect(config.pools[1]).toMatchObject({
      taints: ['t'],
      region: 'eu',
      resources: { memory: 2 ** 30, network: 1_000_000 },
    })
    expect(shape({ yaml: 'resources: {}' }).resources).toBe(null)
    expect(config.pools[0]!.resources).toBe(null)
  })
})

describe('who wins', () => {
  test.each<[string, Given, (config: Config) => unknown, unknown]>([
    [
      'flag over environment',
      { flags: { port: 1 }, env: { LEANVIBE_PORT: '2' }, yaml: 'server: { port: 3 }' },
      (c) => c.server.port,
      1,
    ],
    ['environment over file', { env: { LEANVIBE_PORT: '2' }, yaml: 'server: { port: 3 }' }, (c) => c.server.port, 2],
    ['file over default', { yaml: 'server: { port: 3 }' }, (c) => c.server.port, 3],
    [
      'an empty variable is none',
      { env: { LEANVIBE_PORT: ' ' }, yaml: 'server: { port: 3 }' },
      (c) => c.server.port,
      3,
    ],
    ['agents', { env: { LEANVIBE_AGENTS: '7' } }, (c) => c.pools[0]?.agents, 7],
    [
      'data of the flag, from the working folder',
      { flags: { data: 'd' }, env: { LEANVIBE_DATA: 'e' } },
      (c) => c.dataFolder,
      '/work/shop/src/d',
    ],
    ['data of the file, from the root', { yaml: 'data: state' }, (c) => c.dataFolder, '/work/shop/state'],
    [
      'a common home',
      { env: { LEANVIBE_HOME: '/var/lv' } },
      (c) => /^\/var\/lv\/shop-[0-9a-f]{8}$/.test(c.dataFolder),
      true,
    ],
    [
      'checkpoints',
      { env: { LEANVIBE_CHECKPOINT_EVERY: 'never' }, yaml: 'checkpoints: { every: 10m }' },
      (c) => c.checkpointEveryMs,
      null,
    ],
    ['checkpoints of the file', { yaml: 'checkpoints: { every: 10m }' }, (c) => c.checkpointEveryMs, 600_000],
    ['sizes', { yaml: 'limits: { log: 2MB }' }, (c) => c.limits.logBytes, 2_097_152],
    [
      'a host for others, behind a proxy',
      { env: { LEANVIBE_HOST: '0.0.0.0', LEANVIBE_PLAINTEXT: '1' } },
      (c) => c.server.host,
      '0.0.0.0',
    ],
    [
      'a host for others, with TLS',
      { flags: { host: '::' }, yaml: 'server: { tls: { cert: c.pem, key: k.pem } }' },
      (c) => c.server.tls,
      { cert: '/work/shop/c.pem', key: '/work/shop/k.pem' },
    ],
    [
      'rate limits',
      { yaml: 'rateLimits: { key: 10/1s, ip: none }' },
      (c) => c.rateLimits,
      { key: { requests: 10, windowMs: 1_000 }, ip: null },
    ],
    [
      'postgres',
      { env: { DATABASE_URL: 'postgres://h/d' }, yaml: 'database: { poolSize: 3 }' },
      (c) => c.database,
      { kind: 'postgres', poolSize: 3, migrate: true },
    ],
    [
      'a schema that is for others to migrate',
      { env: { DATABASE_URL: 'postgres://h/d' }, yaml: 'database: { migrate: false }' },
      (c) => c.database,
      { kind: 'postgres', poolSize: 10, migrate: false },
    ],
    [
      'prompt by stdin where nothing is said',
      { yaml: 'pools: { a: { command: [agent] } }' },
      (c) => c.pools[1]?.agent?.prompt,
      'stdin',
    ],
    [
      'prompt as an argument',
      { yaml: "pools: { a: { command: [agent, '{prompt}'] } }" },
      (c) => c.pools[1]?.agent?.prompt,
      'argument',
    ],
    [
      'prompt in a file',
      { yaml: "pools: { a: { command: [agent, '--in={prompt-file}'] } }" },
      (c) => c.pools[1]?.agent?.prompt,
      'file',
    ],
    [
      'a pool is what it can do',
      { yaml: 'pools: { a: { command: [agent] } }' },
      (c) => c.pools[1]?.capabilities,
      ['a'],
    ],
  ])('%s', (_name, given, read, expected) => {
    expect(read(shape(given))).toEqual(expected)
  })
})

describe('refusals name the place', () => {
  test.each<[string, Given, RegExp]>([
    [
      'an unknown setting',
      { yaml: 'server:\n  prot: 1\n' },
      /^leanvibe.yaml:2:3: server.prot: this setting is not known here$/,
    ],
    ['a wrong type', { yaml: 'agents: many\n' }, /^leanvibe.yaml:1:1: agents: expected number, received string$/],
    [
      'a bad unit',
      { yaml: 'checkpoints:\n  every: 10\n' },
      /leanvibe.yaml:2:3: checkpoints.every: expected never, or a time/,
    ],
    ['a bad size', { yaml: 'limits: { log: 10 }' }, /limits.log: expected text such as 512KB/],
    ['a size with an unknown unit', { yaml: 'limits: { log: 10XB }' }, /unknown unit XB/],
    [
      'a bad pool name',
      { yaml: 'pools:\n  My Pool: { command: [x] }\n' },
      /leanvibe.yaml:2:3: pools.My Pool: expected lower-case/,
    ],
    ['a pool without a command', { yaml: 'pools:\n  a: {}\n' }, /leanvibe.yaml:2:3: pools.a: expected `command`/],
    [
      'an unknown strategy',
      { yaml: 'pools: { a: { command: [x], strategy: guess } }' },
      /pools.a.strategy: .*round_robin/,
    ],
    [
      'a secret in the clear',
      { yaml: 'secrets:\n  token: hunter2\n' },
      /leanvibe.yaml:2:3: secrets.token: expected \{env: NAME\}.*never the value/,
    ],
    ['broken YAML', { yaml: 'a: [1,\n' }, /^leanvibe.yaml:2:1: /],
    ['a YAML bomb', { yaml: bomb() }, /expand to too much/],
    ['a variable', { env: { LEANVIBE_PORT: '99999' } }, /^LEANVIBE_PORT 99999: /],
    ['a variable that is no number', { env: { LEANVIBE_AGENTS: 'two' } }, /^LEANVIBE_AGENTS "two": expected number/],
    ['a flag', { flags: { agents: 0 } }, /^--agents 0: /],
    ['an address others can reach', { env: { LEANVIBE_HOST: '0.0.0.0' } }, /only listen on this machine.*--plaintext/],
    ['half of TLS', { flags: { tlsCert: 'c.pem' } }, /together or not at all/],
    ['a rate without a time', { yaml: 'rateLimits: { key: 100 }' }, /rateLimits.key: expected requests within a time/],
    ['an origin with a path', { yaml: 'server: { cors: [https://a.example/x] }' }, /expected an origin/],
  ])('%s', (_name, given, expected) => {
    expect(refusal(given)).toMatch(expected)
  })

  test('all at once', () => {
    const text = refusal({ yaml: 'pools:\n  a: {}\n  b: {}\n', env: { LEANVIBE_PORT: 'x' } })
    expect(text.split('\n')).toHaveLength(3)
  })
})

describe('contradictions', () => {
  test.each<[string, Given, RegExp]>([
    [
      'two data folders',
      { env: { LEANVIBE_DATA: '/a', LEANVIBE_HOME: '/b' } },
      /LEANVIBE_DATA and LEANVIBE_HOME contradict/,
    ],
    [
      'two databases',
      { env: { DATABASE_URL: 'postgres://h/d' }, yaml: 'database: { kind: pglite }' },
      /DATABASE_URL is set, but .*kind: pglite/,
    ],
    ['a database without a URL', { yaml: 'database: { kind: postgres }' }, /needs DATABASE_URL/],
    [
      'a pool of connections for the embedded database',
      { yaml: 'database: { poolSize: 3 }' },
      /poolSize means nothing/,
    ],
    [
      'migrations of an embedded database left to others',
      { yaml: 'database: { migrate: false }' },
      /migrate means nothing/,
    ],
    [
      'a system URL alone',
      { env: { LEANVIBE_DATABASE_SYSTEM_URL: 'postgres://h/d' } },
      /SYSTEM_URL is set, but DATABASE_URL is not/,
    ],
    ['an argument that is missing', { yaml: 'pools: { a: { command: [x], prompt: argument } }' }, /needs \{prompt\}/],
    ['a file that is missing', { yaml: 'pools: { a: { command: [x], prompt: file } }' }, /needs \{prompt-file\}/],
    [
      'a prompt twice',
      { yaml: "pools: { a: { command: [x, '{prompt}'], prompt: stdin } }" },
      /contradicts prompt: stdin/,
    ],
    ['a program from the prompt', { yaml: "pools: { a: { command: ['{prompt}'] } }" }, /program itself/],
    ['a label that is a setting', { yaml: 'pools: { a: { command: [x], labels: { taints: x } } }' }, /not a label/],
    ['a level that is none', { yaml: "pools: { a: { command: [x], capabilities: ['code:11'] } }" }, /level :1 to :10/],
    ['local agents in two places', { yaml: 'pools: { local: { agents: 2 } }' }, /`agents:` at the top/],
  ])('%s', (_name, given, expected) => {
    expect(refusal(given)).toMatch(expected)
  })
})

describe('secrets', () => {
  test('never show in a message, a config or a print', () => {
    const url = 'mysql://root:hunter2@h/d'
    expect(refusal({ env: { DATABASE_URL: url } })).not.toContain('hunter2')
    const env = readEnv({ DATABASE_URL: 'postgres://root:hunter2@h/d' })
    const secrets = createSecrets({}, env, '/')
    expect(JSON.stringify(shape({ env: { DATABASE_URL: 'postgres://root:hunter2@h/d' } }))).not.toContain('hunter2')
    expect(`${secrets.databaseUrl} ${JSON.stringify(secrets)}`).not.toContain('hunter2')
    expect(secrets.databaseUrl?.reveal()).toContain('hunter2')
  })

  test('come from variable, file and command, and are masked once read', async () => {
    const env = readEnv({ TOKEN: 'abc123', UNSET: '' })
    const node = process.execPath
    const secrets = createSecrets(
      {
        a: { env: 'TOKEN' },
        b: { command: [node, '-e', 'console.log("long-abc123-value")'] },
        c: { file: '/dev/null' },
        d: { command: [node, '-e', 'console.log("oops-secret"); process.exit(1)'] },
        e: { env: 'UNSET' },
      },
      env,
      '/',
    )
    expect(secrets.mask('abc123')).toBe('abc123')
    expect((await secrets.read('a')).reveal()).toBe('abc123')
    expect((await secrets.read('b')).reveal()).toBe('long-abc123-value')
    expect(secrets.mask('x abc123 long-abc123-value y')).toBe('x *** *** y')
    for (const name of ['c', 'd', 'e', 'missing']) {
      const error = await secrets.read(name).catch((thrown: unknown) => thrown)
      expect(isAppError(error, 'secret-missing')).toBe(true)
      expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('oops-secret')
    }
  })

  test('whatever the value, printing it shows nothing', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (value) => {
        const secret = new Secret(value)
        for (const shown of [String(secret), JSON.stringify({ secret }), `${secret}`])
          expect(shown).not.toContain(value)
      }),
    )
  })
})

describe('the environment', () => {
  test('misspelled settings are told, except inside work we started', () => {
    expect(shape({ env: { LEANVIBE_PROT: '1' } }).warnings).toEqual([expect.stringContaining('LEANVIBE_PROT')])
    expect(shape({ env: { LEANVIBE_INPUT_X: '1', LEANVIBE_ATTEMPT: 'task_1:1' } }).warnings).toEqual([])
  })
})

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )
  return lines.join('\n')
}
