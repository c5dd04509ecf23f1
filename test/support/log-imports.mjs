// Preloaded by a test: writes the packages that a process has loaded to standard error when it ends.
import { registerHooks } from 'node:module'

const packages = new Set()
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(resolved.url)?.[1]
    if (name) packages.add(name)
    return resolved
  },
})
process.on('exit', () => process.stderr.write(`packages: ${[...packages].sort().join(' ')}\n`))
