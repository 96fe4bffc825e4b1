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
    process.exit(await runCli(process.argv.slice(2), builtInPlugins))
  }
}
