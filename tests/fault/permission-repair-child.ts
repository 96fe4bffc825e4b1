import drift from '../../plugins/permission-drift/plugin.ts'
import { pluginUnderTest } from '../kit/plugin.ts'

// Repairs (or undoes) below a root directory, in a process that can be killed in the middle of it.

const [root = '', verb = '', at = ''] = process.argv.slice(2)
const run = pluginUnderTest(
  drift,
  { rules: [{ path: '/srv/*', mode: { atMost: '0600' } }], maxFindings: 2000 },
  { root, stateDir: '/state', now: new Date(at) },
)
const { findings } = verb === 'apply' ? await run.check() : { findings: [] }
process.stdout.write('ready\n')
if (verb === 'apply') await run.apply(findings)
else await run.command('undo', { values: { at } })
process.stdout.write('done\n')
