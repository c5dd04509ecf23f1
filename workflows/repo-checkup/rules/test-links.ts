import { baseName } from '../git/path-name.ts'

/** A name without separators and case, so that `user_mailer`, `user-mailer` and `UserMailer` are one. */
export function foldName(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase()
}

/** Names that say nothing about what is inside; such files are left out of the question. */
const generic = new Set([
  'index',
  'main',
  'mod',
  'lib',
  'init',
  'types',
  'type',
  'constants',
  'version',
  'setup',
  'config',
  'doc',
  'packageinfo',
  'conftest',
  'app',
  'cli',
])

/** Languages that build and deploy rather than make up the product; no test names such files. */
const glue = new Set(
  'Make,CMake,Meson,Dockerfile,M4,Starlark,Terraform,Nix,Just,Yacc/Lex,Protocol Buffers,Thrift,GraphQL,SQL,Batch,PowerShell,Shell,AWK,Jsonnet,Vim script,Groovy'.split(
    ',',
  ),
)

export function isGlue(language: string): boolean {
  return glue.has(language)
}

/** What a source file would be called by in a test, or null when the name is too general to tell. */
export function nameToTest(path: string): string | null {
  const folded = foldName(
    baseName(path)
      .replace(/\.[^.]+$/, '')
      .replace(/\.(d|config)$/, ''),
  )
  return folded.length < 3 || generic.has(folded) ? null : folded
}

export interface Mentions {
  /** Takes in the words of one test file. */
  add(text: string): void
  has(folded: string): boolean
}

const maxWords = 400_000

/** The words of all tests, folded: a source file whose name is not among them is named by no test. */
export function createMentions(): Mentions {
  const words = new Set<string>()
  return {
    add(text) {
      if (words.size > maxWords) return
      for (const [word] of text.matchAll(/[A-Za-z][A-Za-z0-9_-]{2,60}/g)) words.add(foldName(word))
    },
    has: (folded) => words.has(folded),
  }
}

/** Both stand at the beginning of a line; elsewhere they are text that speaks of tests. */
const skipped =
  /^[ \t]*(?:(?:it|test|describe|context)\.(?:skip|todo)\b|x(?:it|describe|test|context)\s*\(|@(?:Ignore|Disabled)\b|@(?:pytest\.mark|unittest)\.skip|t\.Skip(?:Now|f)?\(|#\[ignore|pending\s*\(|(?:\$this->|self::)?markTestSkipped\b|\[(?:Fact|Theory)\(Skip\s*=)/gm
const focused = /^[ \t]*(?:(?:it|test|describe|context)\.only\s*\(|f(?:it|describe|context)\s*\()/gm

/** Tests that are switched off, and tests that switch off all others. */
export function countSwitches(text: string): { readonly skipped: number; readonly focused: number } {
  return { skipped: [...text.matchAll(skipped)].length, focused: [...text.matchAll(focused)].length }
}
