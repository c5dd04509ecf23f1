/** What a language is used for: only `code` counts in ratios, hot spots and ownership. */
export type LanguageUse = 'code' | 'markup' | 'data' | 'prose'

export interface Language {
  readonly name: string
  readonly use: LanguageUse
  /** How a line that is only a comment begins; drives duplicate and debt search. */
  readonly comment: readonly string[]
}

const slash = ['//', '/*', '*', '*/']
const hash = ['#']
const dash = ['--']
const tag = ['<!--', '-->']
const lisp = [';']
const percent = ['%']

/** name | extensions | full file names | interpreters; the first language that claims a name wins. */
const table: readonly (readonly [LanguageUse, readonly string[], string])[] = [
  ['code', slash, 'TypeScript|ts mts cts tsx||deno ts-node tsx bun'],
  ['code', slash, 'JavaScript|js mjs cjs jsx|Jakefile|node nodejs'],
  ['code', hash, 'Python|py pyi pyx pxd pyw|SConstruct SConscript wscript|python python2 python3 pypy'],
  ['code', slash, 'Go|go||'],
  ['code', slash, 'Rust|rs||rust-script'],
  ['code', slash, 'Java|java||'],
  ['code', slash, 'Kotlin|kt kts||kotlin'],
  ['code', slash, 'Scala|scala sc sbt||scala'],
  ['code', slash, 'Groovy|groovy gradle gvy|Jenkinsfile|groovy'],
  ['code', slash, 'C|c h idc||tcc'],
  ['code', slash, 'C++|cpp cc cxx hpp hh hxx ipp inl tpp c++ h++ ino||'],
  ['code', slash, 'C#|cs csx||'],
  ['code', slash, 'F#|fs fsi fsx||'],
  ['code', ["'"], 'Visual Basic|vb vbs bas||'],
  ['code', slash, 'Objective-C|m mm||'],
  ['code', slash, 'Swift|swift||swift'],
  ['code', slash, 'Dart|dart||dart'],
  ['code', [...slash, '#'], 'PHP|php phtml php3 php4 php5 inc||php'],
  [
    'code',
    hash,
    'Ruby|rb rake gemspec ru podspec thor|Rakefile Gemfile Guardfile Podfile Vagrantfile Brewfile Fastfile|ruby',
  ],
  ['code', hash, 'Perl|pl pm t pod perl|Makefile.PL|perl'],
  ['code', hash, 'Raku|raku rakumod p6||raku'],
  [
    'code',
    hash,
    'Shell|sh bash zsh ksh fish bats ash|.bashrc .profile .zshrc PKGBUILD configure gradlew|sh bash zsh ksh dash ash fish',
  ],
  ['code', hash, 'PowerShell|ps1 psm1 psd1||pwsh'],
  ['code', ['::', 'rem '], 'Batch|bat cmd||'],
  ['code', dash, 'Lua|lua||lua luajit'],
  ['code', percent, 'Erlang|erl hrl escript||escript'],
  ['code', hash, 'Elixir|ex exs||elixir'],
  ['code', dash, 'Haskell|hs lhs hsc||runhaskell'],
  ['code', ['(*'], 'OCaml|ml mli mll mly||ocaml'],
  ['code', lisp, 'Clojure|clj cljs cljc edn||'],
  ['code', lisp, 'Lisp|lisp lsp cl el scm ss rkt||emacs sbcl guile racket'],
  ['code', hash, 'R|r R||Rscript'],
  ['code', hash, 'Julia|jl||julia'],
  ['code', percent, 'MATLAB|mlx||'],
  ['code', ['!'], 'Fortran|f f77 f90 f95 f03 f08 for||'],
  ['code', slash, 'Zig|zig||'],
  ['code', hash, 'Nim|nim nims||'],
  ['code', hash, 'Crystal|cr||crystal'],
  ['code', slash, 'D|d di||rdmd'],
  ['code', slash, 'V|v||'],
  ['code', slash, 'Solidity|sol||'],
  ['code', dash, 'SQL|sql psql pgsql||'],
  ['code', dash, 'Ada|adb ads||'],
  ['code', ['{', '//'], 'Pascal|pas pp dpr lpr||'],
  ['code', ['*'], 'COBOL|cob cbl cpy||'],
  ['code', [';', '#', '//', '/*'], 'Assembly|s S asm nasm||'],
  ['code', slash, 'CUDA|cu cuh||'],
  ['code', slash, 'Shader|glsl vert frag geom hlsl wgsl metal shader||'],
  ['code', slash, 'Verilog|sv svh vh||'],
  ['code', dash, 'VHDL|vhd vhdl||'],
  ['code', hash, 'Tcl|tcl tk||tclsh wish'],
  ['code', hash, 'AWK|awk||awk gawk mawk'],
  ['code', hash, 'Make|mk mak make|Makefile makefile GNUmakefile Makefile.am Makefile.in Kbuild|make'],
  ['code', hash, 'CMake|cmake|CMakeLists.txt|'],
  ['code', hash, 'Meson||meson.build meson_options.txt|'],
  ['code', hash, 'Starlark|bzl star|BUILD BUILD.bazel WORKSPACE WORKSPACE.bazel MODULE.bazel|'],
  ['code', hash, 'Nix|nix||'],
  ['code', hash, 'Terraform|tf tfvars hcl||'],
  ['code', hash, 'Dockerfile|dockerfile|Dockerfile Containerfile|'],
  ['code', ['dnl', '#'], 'M4|m4 ac|configure.in|'],
  ['code', hash, 'Just||justfile Justfile|just'],
  ['code', [...slash, ...tag], 'Vue|vue||'],
  ['code', [...slash, ...tag], 'Svelte|svelte||'],
  ['code', [...slash, ...tag], 'Astro|astro||'],
  ['code', hash, 'GraphQL|graphql gql graphqls||'],
  ['code', slash, 'Protocol Buffers|proto||'],
  ['code', slash, 'Thrift|thrift||'],
  ['code', ['"'], 'Vim script|vim|.vimrc|'],
  ['code', hash, 'GDScript|gd||'],
  ['code', slash, 'Jsonnet|jsonnet libsonnet||'],
  ['code', hash, 'Rego|rego||'],
  ['code', hash, 'Yacc/Lex|y yy l ll||'],
  ['markup', tag, 'HTML|html htm xhtml||'],
  ['markup', slash, 'CSS|css||'],
  ['markup', slash, 'Sass/Less|scss sass less styl||'],
  [
    'markup',
    tag,
    'Template|ejs hbs mustache erb haml slim pug jade twig njk liquid jinja j2 tmpl tpl gotmpl jsp cshtml razor||',
  ],
  ['markup', tag, 'XML|xml xsd xsl xslt xaml plist csproj fsproj vbproj props targets wsdl||'],
  ['markup', tag, 'SVG|svg||'],
  ['markup', percent, 'TeX|tex sty cls bib||'],
  [
    'data',
    [],
    'JSON|json jsonc json5 jsonl ndjson geojson webmanifest map|.babelrc .eslintrc .prettierrc composer.lock|',
  ],
  ['data', hash, 'YAML|yml yaml|.clang-format .clang-tidy|'],
  ['data', hash, 'TOML|toml|Cargo.lock Pipfile poetry.lock uv.lock|'],
  ['data', hash, 'INI|ini cfg conf properties editorconfig|.editorconfig .gitconfig .npmrc .gitmodules|'],
  ['data', hash, 'Environment|env|.env|'],
  ['data', [], 'CSV|csv tsv psv||'],
  ['data', [], 'Diff|diff patch||'],
  ['data', hash, 'Gettext|po pot||'],
  ['data', [], 'Notebook|ipynb||'],
  [
    'data',
    hash,
    'Ignore list|gitignore dockerignore npmignore|.gitignore .dockerignore .npmignore .gitattributes .mailmap CODEOWNERS|',
  ],
  ['data', slash, 'Go module||go.mod go.sum go.work go.work.sum|'],
  ['prose', [], 'Markdown|md markdown mdx mkd||'],
  ['prose', [], 'reStructuredText|rst rest||'],
  ['prose', [], 'AsciiDoc|adoc asciidoc asc||'],
  ['prose', [], 'Org|org||'],
  ['prose', [], 'Manual page|1 2 3 4 5 6 7 8 man roff||'],
  [
    'prose',
    [],
    'Text|txt text|README LICENSE COPYING NOTICE AUTHORS CHANGELOG CHANGES NEWS TODO INSTALL HISTORY CONTRIBUTORS MAINTAINERS|',
  ],
]

const byExtension = new Map<string, Language>()
const byName = new Map<string, Language>()
const byInterpreter = new Map<string, Language>()
const words = (list: string | undefined) => (list ?? '').split(' ').filter((word) => word !== '')
for (const [use, comment, row] of table) {
  const [name, extensions, names, interpreters] = row.split('|')
  const language: Language = Object.freeze({ name: name!, use, comment })
  for (const word of words(extensions)) if (!byExtension.has(word)) byExtension.set(word, language)
  for (const word of words(names)) if (!byName.has(word)) byName.set(word, language)
  for (const word of words(interpreters)) if (!byInterpreter.has(word)) byInterpreter.set(word, language)
}

/** The language a file name stands for, or null when only its first line could tell. */
export function languageOfName(fileName: string): Language | null {
  const exact = byName.get(fileName)
  if (exact !== undefined) return exact
  if (/^(Docker|Container)file\./.test(fileName)) return byName.get('Dockerfile')!
  if (/^\.env\b/.test(fileName)) return byName.get('.env')!
  const plain = fileName.replace(/\.(in|tmpl|template|dist|example|sample|orig)$/, '')
  const dot = plain.lastIndexOf('.')
  if (dot < 0) return plain === fileName ? null : languageOfName(plain)
  const extension = plain.slice(dot + 1)
  return byExtension.get(extension) ?? byExtension.get(extension.toLowerCase()) ?? null
}

/** The language a `#!` line asks for (`#!/usr/bin/env -S python3.12 -u` is Python), or null. */
export function languageOfShebang(firstLine: string): Language | null {
  const match = /^#!\s*(\S+)(.*)$/.exec(firstLine)
  if (match === null) return null
  let program = match[1]!.split('/').at(-1)!
  if (program === 'env') {
    program = match[2]!.split(/\s+/).find((word) => word !== '' && !word.startsWith('-') && !word.includes('=')) ?? ''
    program = program.split('/').at(-1)!
  }
  return byInterpreter.get(program) ?? byInterpreter.get(program.replace(/[\d.]+$/, '')) ?? null
}
