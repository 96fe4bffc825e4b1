import { expect, setDefaultTimeout } from 'bun:test'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reeveBinary } from '../../kit/binary.ts'
import { testWith } from '../../kit/needs.ts'
import { Workspace } from '../../kit/workspace.ts'

setDefaultTimeout(120_000)
const PASSPHRASE = { BACKUP_PASSPHRASE: 'for tests only' }

/** A host with a job that keeps backups of these sources in a directory. */
class Host extends Workspace {
  readonly disk = join(this.path, 'disk')

  constructor() {
    super()
    mkdirSync(this.disk, { mode: 0o700 })
  }

  job(config: object): void {
    this.configure({
      jobs: {
        data: {
          plugin: 'backup',
          mode: 'enforce',
          config: {
            passphrase: 'env:BACKUP_PASSPHRASE',
            destinations: [{ name: 'disk', type: 'directory', directory: this.disk }],
            ...config,
          },
        },
      },
    })
  }

  backUp() {
    return this.run('data', { env: PASSPHRASE })
  }

  /** Restores everything with nothing but the files and the passphrase; returns where it is. */
  async restored(): Promise<string> {
    const to = join(this.path, 'restored')
    const argv = [
      'backup',
      'restore',
      '--from',
      this.disk,
      '--passphrase',
      'env:BACKUP_PASSPHRASE',
      '--to',
      to,
    ]
    const child = this.start([reeveBinary(), ...argv], { env: { ...PASSPHRASE, XDG_CONFIG_HOME: this.path } })
    const [stderr] = await Promise.all([child.stderr.text(), child.stdout.text(), child.exited])
    expect([child.exitCode, stderr]).toEqual([0, ''])
    return to
  }
}

const [CHRT, IONICE] = [Bun.which('chrt') ?? '', Bun.which('ionice') ?? '']
testWith({ programs: ['chrt', 'ionice'] })(
  'a backup, and the programs that it runs, take only what nobody else wants; or stand behind others',
  async () => {
    const dumps = [
      { name: 'processor', command: [CHRT, '-p', '0'] },
      { name: 'disk', command: [IONICE] },
    ]
    const expected = { idle: ['SCHED_IDLE', 'idle'], low: ['SCHED_OTHER', 'best-effort: prio 7'] }
    for (const [priority, [processor = '', disk = '']] of Object.entries(expected)) {
      await using host = new Host()
      host.job({ sources: { dumps }, ...(priority === 'low' && { priority }) })
      const run = await host.backUp()
      expect([run.outcome, (await host.reeve(['findings'])).stdout]).toEqual(['clean', 'No findings.\n'])
      const to = await host.restored()
      expect(readFileSync(join(to, 'reeve-dumps/processor'), 'utf8')).toContain(processor)
      expect(readFileSync(join(to, 'reeve-dumps/disk'), 'utf8').trim()).toBe(disk)
    }
  },
)
