import { Argument } from 'commander'
import type { CliCommand } from '../command.ts'

/**
 * Only for the help: the library that writes completion scripts brings this command, and the hidden `complete` that the
 * scripts call, with it (see main.ts).
 */
export const completion: CliCommand = {
  configure(command) {
    command.addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish', 'powershell']))
  },
}
