// Started by crash.test.ts as a process of its own: delivers what is due with the system's clock, and ends.
import { systemClock } from '../../../agent/alert/clock.ts'
import { openStore } from '../../../agent/store/open.ts'
import { deliverer, webhook } from './kit.ts'

const [path = '', url = ''] = process.argv.slice(2)
const store = openStore(path)
await deliverer(store, systemClock, [webhook(url)]).deliverer.flush()
store.close()
