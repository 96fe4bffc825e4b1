// Restores what is in a directory to another one, in a process of its own that can be killed.
import { BackupFixture, onDisk, PASSPHRASE_REFERENCE } from '../fixture.ts'

const [from = '', to = ''] = process.argv.slice(2)
using fixture = new BackupFixture({ destinations: [onDisk(from)] })
await fixture.command('restore', { values: { from, to, passphrase: PASSPHRASE_REFERENCE }, job: false })
