/** Commands whose process may work for long; with a list, only where one of these words comes next. */
const long = {
  orchestrate: true,
  spawn: true,
  serve: true,
  work: true,
  checkpoint: true,
  'migrate-to': true,
  mcp: ['serve'],
  runs: ['retry', 'resume'],
}
/** Options that may stand before a command and take the next word, unless they have a value of their own behind `=`. */
const withValue = ['--data', '--config', '--url', '--key']

/** Whether the call is one that may work for long, by where its command stands: names and values may read like one. */
export function worksLong(argv) {
  const [command, next] = commandWords(argv)
  const entry = Object.hasOwn(long, command ?? '') && long[command]
  return Array.isArray(entry) ? entry.includes(next) : entry === true
}

/** The first two words that are neither options nor their values. */
function commandWords(argv) {
  const words = []
  for (let at = 0; at < argv.length && words.length < 2; at++) {
    if (withValue.includes(argv[at])) at++
    else if (!argv[at].startsWith('-')) words.push(argv[at])
  }
  return words
}
