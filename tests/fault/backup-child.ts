// Makes one backup in a process of its own, and kills itself right before a given step that changes the disk.
import type { CreateOptions, FileSink, HostWriter } from '../../agent/contract/mod.ts'
import { toGrants } from '../../agent/host/grants.ts'
import { LocalHostWriter } from '../../agent/host/writer.ts'
import plugin from '../../plugins/backup/plugin.ts'

const [request = '{}'] = process.argv.slice(2)
const { config, stateDir, now, secrets, killBefore } = JSON.parse(request) as {
  config: Record<string, unknown>
  stateDir: string
  now: string
  secrets: Record<string, string>
  killBefore: number
}

let steps = 0
/** Counts a step that changes the disk; at the given one, the process is gone as if the power had failed. */
function step(): void {
  steps++
  if (steps === killBefore) process.kill(process.pid, 'SIGKILL')
}

class SteppedWriter extends LocalHostWriter {
  override create(path: string, options?: CreateOptions): FileSink {
    step()
    const sink = super.create(path, options)
    return {
      ...sink,
      write: (chunk) => {
        step()
        sink.write(chunk)
      },
      commit: () => {
        step()
        sink.commit()
        step()
      },
      abort: () => sink.abort(),
    }
  }

  override remove(path: string): void {
    step()
    super.remove(path)
  }
}

const parsed = plugin.config.parse(config)
const { apply } = plugin.permissions(parsed)
if (!plugin.apply || !apply) throw new Error('the plugin has no apply')
const writer = (permissions: Parameters<typeof toGrants>[0]): HostWriter =>
  new SteppedWriter(
    '/',
    toGrants(permissions, stateDir, (path) => [path]),
  )
await plugin.apply({
  config: parsed,
  job: 'backup',
  now: new Date(now),
  signal: new AbortController().signal,
  log: { info: () => {}, warn: () => {} },
  stateDir,
  memory: undefined,
  secret: (reference) => secrets[reference] ?? '',
  fingerprint: () => '',
  progress: () => {},
  host: writer(apply),
  state: writer({}),
  findings: [{ rule: 'backup-due', subject: 'x', severity: 'warning', summary: 'x', fixable: true }],
})
process.stdout.write(String(steps))
