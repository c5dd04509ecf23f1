/** A line of code that is worth a look by someone who thinks of misuse. */
export interface LineRule {
  readonly id: string
  readonly title: string
  readonly score: number
  readonly why: string
  readonly next: string
  readonly files: RegExp
  readonly pattern: RegExp
}

const code = /\.([cm]?[jt]sx?|py|rb|php|go|rs|java|kt|cs|sh|bash|pl)$/
const script = /\.([cm]?[jt]sx?)$/

export const lineRules: readonly LineRule[] = [
  {
    id: 'eval',
    title: 'text is run as code',
    score: 55,
    why: 'Who can put something into the text can run anything.',
    next: 'Parse the text, or look the action up in a table.',
    files: /\.([cm]?[jt]sx?|py|rb|php)$/,
    pattern: /(?<![\w.$>])eval\s*\(|\bnew Function\s*\(|(?<![\w.])exec\s*\(\s*(?:f["']|compile\()/,
  },
  {
    id: 'shell',
    title: 'a shell is given a composed command',
    score: 55,
    why: 'A value with a quote or a semicolon in it becomes a command.',
    next: 'Start the program with a list of arguments, without a shell.',
    files: code,
    pattern:
      /shell\s*=\s*True|shell:\s*true|\bos\.system\s*\(|\bchild_process\b.*\bexec(Sync)?\s*\(|\bexec(Sync)?\(\s*`[^`]*\$\{|\bRuntime\.getRuntime\(\)\.exec/,
  },
  {
    id: 'sql',
    title: 'SQL is put together from values',
    score: 60,
    why: 'A value can change the statement.',
    next: 'Bind the values as parameters.',
    files: code,
    pattern:
      /(?:query|execute|exec)\s*\(\s*(?:f["']|`[^`]*\$\{|["'][^"']*["']\s*(?:\+|%|\.format))[^)]*|["'`]\s*(?:SELECT|INSERT|UPDATE|DELETE)\b[^"'`]*["'`]\s*(?:\+|%)\s*\w/,
  },
  {
    id: 'deserialise',
    title: 'objects are made from bytes of others',
    score: 60,
    why: 'Reading them can already run code.',
    next: 'Use a format that is only data, such as JSON with a schema.',
    files: code,
    pattern:
      /\bpickle\.loads?\s*\(|\byaml\.load\s*\((?![^)]*Safe)|\bMarshal\.load|\bunserialize\s*\(|\bObjectInputStream\s*\(|\bBinaryFormatter\b/,
  },
  {
    id: 'tls',
    title: 'certificates are not checked',
    score: 70,
    why: 'Anybody in between can read and change what is sent.',
    next: 'Check them; trust a private authority by its certificate.',
    files: code,
    pattern:
      /rejectUnauthorized\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|verify\s*=\s*False|InsecureSkipVerify:\s*true|CURLOPT_SSL_VERIFYPEER,\s*(?:false|0)|curl\s+(?:-\w*k\w*|--insecure)\b/,
  },
  {
    id: 'weak-hash',
    title: 'a broken hash or cipher',
    score: 35,
    why: 'Harmless for a checksum, not for passwords, tokens or signatures.',
    next: 'Use SHA-256 or newer; for passwords Argon2 or bcrypt.',
    files: code,
    pattern:
      /createHash\(\s*['"](?:md5|sha1)['"]|\bhashlib\.(?:md5|sha1)\s*\(|MessageDigest\.getInstance\(\s*"(?:MD5|SHA-?1)"|\bDES\/|createCipheriv\(\s*['"](?:des|rc4)/i,
  },
  {
    id: 'markup',
    title: 'values are put into a page as markup',
    score: 45,
    why: 'A value with a script in it is run by whoever looks at the page.',
    next: 'Put it in as text, or clean it with a library made for that.',
    files: /\.([cm]?[jt]sx?|vue|svelte|html?)$/,
    pattern: /dangerouslySetInnerHTML|\.innerHTML\s*=(?!=)\s*[^'"`\s;]|\bv-html=|\{@html |document\.write\(/,
  },
  {
    id: 'random',
    title: 'a guessable random value for something secret',
    score: 50,
    why: 'Math.random can be predicted from a few of its values.',
    next: 'Use crypto.randomBytes or crypto.getRandomValues.',
    files: script,
    pattern: /(?:token|secret|password|session|nonce|salt|otp|api_?key)\w*\s*[:=][^;\n]*Math\.random\(/i,
  },
  {
    id: 'pipe',
    title: 'something from the network is piped into a shell',
    score: 50,
    why: 'Whoever serves it, or is in between, runs what they like.',
    next: 'Fetch it, compare its digest, then run it.',
    files: /\.(sh|bash|ya?ml)$|(^|\/)(Dockerfile[^/]*|Makefile)$/,
    pattern: /\b(?:curl|wget)\b[^|\n#]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b/,
  },
  {
    id: 'debug',
    title: 'a server is started for debugging, or open to all',
    score: 40,
    why: 'Debuggers run code; wide-open origins and addresses are reached by everybody.',
    next: 'Keep it to development, behind a setting that is off.',
    files: code,
    pattern: /\bapp\.run\([^)]*debug\s*=\s*True|^\s*DEBUG\s*=\s*True|Access-Control-Allow-Origin['"]?\s*[,:]\s*['"]\*/,
  },
]

export interface RiskyLine {
  readonly rule: LineRule
  readonly path: string
  readonly line: number
}

/** Looks through one file. Comments of a whole line are passed over; a rule is told at most twenty times a file. */
export function riskyLines(path: string, text: string): readonly RiskyLine[] {
  const rules = lineRules.filter(({ files }) => files.test(path))
  if (rules.length === 0) return []
  const found: RiskyLine[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.length > 2_000 || /^\s*(\/\/|#(?!!)|\*|\/\*|--)/.test(line)) continue
    for (const rule of rules) if (rule.pattern.test(line)) found.push({ rule, path, line: index + 1 })
    if (found.length >= 200) break
  }
  return found
}
