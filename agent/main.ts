import { basename } from 'node:path'
import { builtInPlugins } from '../plugins/index.ts'
import { JAIL_ARGUMENT, WORKER_ARGUMENT } from './worker/self.ts'

// Every road is loaded when it is taken: a worker must start in milliseconds, and the jail is built before
// any plugin code is loaded.

switch (process.argv[2]) {
  case JAIL_ARGUMENT:
    ;(await import('./worker/enter.ts')).enterJailAndWork()
    break
  case WORKER_ARGUMENT:
    await (await import('./worker/worker.ts')).work(builtInPlugins)
    process.exit(0)
    break
  default: {
    const { runCli } = await import('./cli/main.ts')
    const args = process.argv.slice(2)
    // A link named as a program that reeve stands in for is that program.
    const name = basename(process.argv0)
    const code = await runCli(builtInPlugins.programs?.[name] ? [name, ...args] : args, builtInPlugins)
    // A pipe takes 64 KiB at once; what waits behind that would be lost.
    await new Promise<void>((resolve) => {
      process.stdout.once('error', () => resolve())
      process.stdout.end(() => resolve())
    })
    process.exit(code)
  }
}
