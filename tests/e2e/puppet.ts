import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { waitUntil } from '../kit/wait.ts'
import { type Daemon, Workspace } from '../kit/workspace.ts'
import type { Script } from './plugins/puppet.ts'

const source = readFileSync(join(import.meta.dir, 'plugins/puppet.ts'))
const PROGRAMS = ['/bin/sleep', '/usr/bin/timeout']
const ANY = '…'

export const runShape = z.looseObject({
  id: z.number(),
  job: z.string(),
  outcome: z.string(),
  reason: z.string().nullable(),
  trigger: z.string(),
  finishedAt: z.string().nullable(),
})
export const findingShape = z.looseObject({
  rule: z.string(),
  subject: z.string(),
  severity: z.string(),
  state: z.string(),
  summary: z.string(),
})
const startedShape = z.looseObject({ runId: z.number() })

/** A workspace with jobs of the puppet plugin; each does what its script says. */
export class PuppetHost extends Workspace {
  private readonly plugin = this.write('plugins/puppet.ts', source)

  /** Configures these jobs, each with what it has beside plugin and config. */
  jobs(jobs: Record<string, Record<string, unknown>>, settings: Record<string, unknown> = {}): void {
    const all = Object.entries(jobs).map(([name, job]) => {
      const script = join(this.path, `${name}.json`)
      const grant = { read: [script], run: PROGRAMS.map((program) => [program, ANY]) }
      return [name, { plugin: 'puppet', grant, config: { script, programs: PROGRAMS }, ...job }]
    })
    this.configure({ plugins: { paths: [this.plugin] }, jobs: Object.fromEntries(all), ...settings })
  }

  /** What the job does from its next run on. */
  tell(job: string, script: Script): void {
    this.write(`${job}.json`, JSON.stringify(script))
    rmSync(this.pidFile(job), { force: true })
  }

  private pidFile(job: string): string {
    return join(this.stateDir, 'jobs', job, 'pids')
  }

  /** Waits until the job is in the midst of a run: the worker and what it has started. */
  async pids(job: string): Promise<{ worker: number; children: number[] }> {
    const read = () => {
      try {
        return readFileSync(this.pidFile(job), 'utf8')
      } catch {
        return ''
      }
    }
    await waitUntil(`the job "${job}" is under way`, 20_000, () => read() !== '')
    const [worker = 0, ...children] = z.array(z.number()).parse(JSON.parse(read()))
    return { worker, children }
  }
}

export async function startRun(daemon: Daemon, job: string): Promise<number> {
  const { runId } = await daemon.ask(`/v1/jobs/${job}/run`, startedShape, { method: 'POST' })
  return runId
}

/** A run by the daemon, to its end. */
export async function runNow(daemon: Daemon, job: string) {
  return daemon.ask(`/v1/jobs/${job}/run?wait=true`, runShape, { method: 'POST' })
}

export async function finishedRun(daemon: Daemon, id: number) {
  let run = await daemon.ask(`/v1/runs/${id}`, runShape)
  await waitUntil(`run ${id} has finished`, 20_000, async () => {
    run = await daemon.ask(`/v1/runs/${id}`, runShape)
    return run.finishedAt !== null
  })
  return run
}

export async function findings(daemon: Daemon, query = '') {
  const page = await daemon.ask(
    `/v1/findings?limit=500${query}`,
    z.looseObject({ items: z.array(findingShape) }),
  )
  return page.items
}

export async function runs(daemon: Daemon, query = '') {
  const page = await daemon.ask(`/v1/runs?limit=500${query}`, z.looseObject({ items: z.array(runShape) }))
  return page.items
}
