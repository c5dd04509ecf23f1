import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cpuTime } from '../../../test/support/cpu-time.ts'
import { fakeToken } from '../repository.fixture.ts'
import { shannonEntropy } from './entropy.ts'
import { findSecrets } from './find-secrets.ts'
import { confidenceOf, type Leak, rankLeaks } from './leaks.ts'
import { knownPrefix, secretRules, suspiciousName } from './secret-rules.ts'
import { isFilledEnvironment, sensitiveFile } from './sensitive-files.ts'

const hex = (length: number) => 'a7f3901bc5d2e846'.repeat(20).slice(0, length)
const mixed = (length: number) => 'q7Zk2Vw9Rt4Yx8Lm3Np6Bc1Df5Gh0JsKdWeQaUiOpTyHn'.repeat(6).slice(0, length)
const letters = (length: number) => 'qZkVwRtYxLmNpBcDfGhJsKdWeQaUiOpTyHnMvFr'.slice(0, length)
const join = (...parts: string[]) => parts.join('')

/** One example a rule, cut in two so that this file holds none. */
const examples: Readonly<Record<string, string>> = {
  'aws-access-key': `id = "${fakeToken('aws')}"`,
  'github-token': `token: ${fakeToken('github')}`,
  'github-fine-grained-token': join('github', '_pat_', mixed(82)),
  'gitlab-token': join('gl', 'pat-', mixed(20)),
  'slack-token': join('xox', 'b-492837465019-830174629585-', mixed(24)),
  'slack-webhook': join('https://hooks.slack', '.com/services/T0AB12CD3/B0EF45GH6/', mixed(24)),
  'stripe-key': fakeToken('stripe'),
  'google-api-key': join('AI', 'za', mixed(35)),
  'google-oauth-secret': join('GOC', 'SPX-', mixed(28)),
  'npm-token': join('npm', '_', mixed(36)),
  'pypi-token': join('pypi', '-AgE', mixed(60)),
  'rubygems-token': join('rubygems', '_', hex(48)),
  'openai-key': join('sk', '-proj-', mixed(24), 'T3Blb', 'kFJ', mixed(24)),
  'anthropic-key': join('sk', '-ant-api03-', mixed(90)),
  'sendgrid-key': join('SG', '.', mixed(22), '.', mixed(43)),
  'digitalocean-token': join('dop', '_v1_', hex(64)),
  'shopify-token': join('shp', 'at_', hex(32)),
  'hugging-face-token': join('hf', '_', letters(34)),
  'databricks-token': join('dap', 'i', hex(32)),
  'telegram-token': join('123498765', ':AA', mixed(33)),
  'azure-storage-key': join('Account', 'Key=', mixed(86), '=='),
  'mailgun-key': join('key', '-', hex(32)),
  'age-key': join('AGE-SECRET', '-KEY-1', mixed(58).toUpperCase()),
  'json-web-token': join('ey', 'JhbGciOiJIUzI1NiIsInR5cCI6', '.ey', 'JzdWIiOiI5MjM0NTY3ODkwIiwibm', '.', mixed(43)),
  'password-in-address': join('postgres://app:', 'Tr0ub4dor9x', '@db.internal/main'),
  'secret-assignment': join('"password": ', '"', mixed(20), '"'),
  'environment-assignment': join('API_', 'TOKEN=', mixed(24)),
}

describe('findSecrets', () => {
  test.each(Object.entries(examples))('finds %s and shows nothing of it', (id, line) => {
    const found = findSecrets(line)
    expect(found.map((match) => match.rule.id)).toContain(id)
    for (const { masked, value } of found) {
      expect(masked).not.toContain(value)
      expect(masked.replace(/ \(\d+ characters\)$/, '').length).toBeLessThanOrEqual(14)
    }
  })

  test('has an example for every rule, and each passes the quick tests', () => {
    expect(new Set([...Object.keys(examples), 'private-key'])).toEqual(new Set(secretRules.map((rule) => rule.id)))
    for (const line of Object.values(examples)) expect(knownPrefix.test(line) || suspiciousName.test(line)).toBe(true)
  })

  test('a private key needs its body', () => {
    const begin = join('-----BEGIN RSA PRIVATE', ' KEY-----')
    expect(findSecrets(begin)).toEqual([])
    expect(findSecrets(begin, '\nnot a key\n')).toEqual([])
    expect(findSecrets(begin, `\n${mixed(64)}\n`)[0]).toMatchObject({ masked: '… (key block)' })
    expect(findSecrets(begin, `\nProc-Type: 4,ENCRYPTED\n\n${mixed(64)}\n`)).toHaveLength(1)
    expect(findSecrets(`key = "${begin}\\n${mixed(64)}"`)).toHaveLength(1)
    expect(findSecrets(`  "${begin}\\n" +`, `\n  "${mixed(64)}\\n" +`)).toHaveLength(1)
  })

  test.each([
    'password = process.env.PASSWORD_OF_THE_DATABASE',
    "password: 'required|string|min:8|max:64'",
    'secret = "your-secret-goes-here1"',
    "token = '${GITHUB_TOKEN}'",
    'https://user:password@example.com/',
    'postgres://user:${PASSWORD}@host/',
    `aws = "${['AKIA', 'IOSFODNN7EXAMPLE'].join('')}"`,
    `ghp_${'x'.repeat(36)}`,
    'const password = "correct horse battery staple"',
    'apiKey: "aaaaaaaaaaaaaaaaaaaaaaaa"',
    'API_KEY_HEADER = "x-api-key-header1"',
    "passwordHash = '$2y$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC'",
    'secret_name: "projects/my-app/secrets/database"',
    'access_token = get_token("service12345")',
    'TOKEN_FILE=/run/secrets/token1234567',
    'password = "{{ vault.db_password12 }}"',
  ])('is silent about %s', (line) => {
    expect(findSecrets(line)).toEqual([])
  })

  test('never throws, and never takes long on any line', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300, unit: 'binary' }),
        fc.constantFrom(...Object.values(examples)),
        (noise, example) => {
          findSecrets(noise)
          findSecrets(`${noise} ${example} ${noise}`, noise)
        },
      ),
    )
    const before = cpuTime()
    for (const piece of ['a', ' ', '"', 'secret', 'eyJ', 'x:', 'https://a:', '=', 'key-'])
      findSecrets(piece.repeat(50_000))
    expect(cpuTime() - before).toBeLessThan(2000)
  })
})

describe('confidence', () => {
  test('depends on the shape and on the place', () => {
    expect(confidenceOf({ specific: true }, 'src/a.ts')).toBe('likely')
    expect(confidenceOf({ specific: false }, 'src/a.ts')).toBe('possible')
    expect(confidenceOf({ specific: true }, 'test/fixtures/a.pem')).toBe('in tests')
  })

  test('orders leaks and drops repetitions', () => {
    const leak = (path: string, line: number, confidence: Leak['confidence']): Leak => ({
      rule: 'r',
      what: 'w',
      path,
      line,
      masked: 'm',
      confidence,
    })
    const ranked = rankLeaks([
      leak('b', 1, 'in tests'),
      leak('a', 2, 'possible'),
      leak('a', 1, 'likely'),
      leak('a', 1, 'likely'),
    ])
    expect(ranked.map(({ path, line }) => `${path}${line}`)).toEqual(['a1', 'a2', 'b1'])
  })
})

describe('shannonEntropy', () => {
  test('is zero for one character and the logarithm for all different', () => {
    expect(shannonEntropy('')).toBe(0)
    expect(shannonEntropy('aaaa')).toBe(0)
    expect(shannonEntropy('abcd')).toBe(2)
  })

  test('lies between 0 and log2 of the alphabet, whatever the order', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        const entropy = shannonEntropy(text)
        const chars = [...text]
        expect(entropy).toBeGreaterThanOrEqual(0)
        expect(entropy).toBeLessThanOrEqual(Math.log2(new Set(chars).size) + 1e-9)
        expect(shannonEntropy(chars.reverse().join(''))).toBeCloseTo(entropy, 9)
      }),
    )
  })
})

describe('files that should not be here', () => {
  test('by name, when they hold something', () => {
    expect(sensitiveFile('id_rsa', 1000)).toBe('private SSH key')
    expect(sensitiveFile('id_rsa.pub', 1000)).toBeNull()
    expect(sensitiveFile('terraform.tfstate', 10)).toContain('Terraform')
    expect(sensitiveFile('prod.p12', 0)).toBeNull()
  })

  test('environment files only with values', () => {
    expect(isFilledEnvironment('.env', 'PUBLIC_URL=.\nDB_PASSWORD=hunter2hunter2\n')).toBe(true)
    expect(isFilledEnvironment('.env', 'PUBLIC_URL=.\nDB_PASSWORD=\nAPI_KEY=changeme\n')).toBe(false)
    expect(isFilledEnvironment('.env.example', 'DB_PASSWORD=hunter2hunter2\n')).toBe(false)
  })
})
