import { createServer } from 'node:net'

// Started within the network of somebody else: opens a door there and hands it to whoever started it. Nothing of it stays.
const [port = '0'] = process.argv.slice(2)
const door = createServer({ pauseOnConnect: true })
door.once('error', (error: NodeJS.ErrnoException) => {
  process.send?.({ problem: error.code ?? error.message })
  process.disconnect?.()
})
door.listen(Number(port), '127.0.0.1', () => {
  process.send?.({ problem: null }, door, {}, () => {
    door.close()
    process.disconnect?.()
  })
})
