import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { z } from 'zod'
import type { Report } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/log-rotation/config.ts'
import plugin from '../../../plugins/log-rotation/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

type Input = z.input<typeof configSchema>
export type SetInput = NonNullable<Input['sets']>[number]
export type ConfigInput = Input & { sets: SetInput[] }

export const DAY_MS = 86_400_000

/** A directory of logs, one set, and a clock that only moves when it is told to. */
export function logFixture(set: Partial<SetInput> & Pick<SetInput, 'paths'>) {
  const directory = temporaryDirectory('reeve-logs')
  const logs = `${directory.path}/logs`
  mkdirSync(logs, { mode: 0o755 })
  const config: ConfigInput = {
    timezone: 'UTC',
    sets: [{ name: 'app', ...set, paths: set.paths.map((path) => `${logs}/${path}`) }],
  }
  return new LogFixture(directory, logs, config)
}

export class LogFixture implements Disposable {
  /** Noon, so that hours can be added without a new day; ahead of the real clock, so that files lie in the past. */
  nowMs = Math.ceil(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2

  constructor(
    private readonly directory: { path: string } & Disposable,
    readonly logs: string,
    readonly config: ConfigInput,
  ) {}

  get stateDir(): string {
    return `${this.directory.path}/state`
  }

  path(name: string): string {
    return `${this.logs}/${name}`
  }

  underTest(signal?: AbortSignal) {
    const run = { stateDir: this.stateDir, now: new Date(this.nowMs), ...(signal && { signal }) }
    return pluginUnderTest(plugin, this.config, run)
  }

  check(): Promise<Report> {
    return this.underTest().check()
  }

  /** check, apply, check: as a job in enforce mode. */
  async enforce(): Promise<{ before: Report; applied: Report; after: Report }> {
    const job = this.underTest()
    const before = await job.check()
    const fixable = before.findings.filter((finding) => finding.fixable)
    const applied = fixable.length > 0 ? await job.apply(before.findings) : { findings: [] }
    return { before, applied, after: await job.check() }
  }

  /** Starts the clocks, and lets a day go by. */
  async firstSight(): Promise<void> {
    await this.check()
    this.nowMs += DAY_MS
  }

  /** All that stands in the directory, hidden files too. */
  names(): string[] {
    return readdirSync(this.logs).sort()
  }

  content(name: string): string {
    return contentOf(this.path(name))
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }
}

export function contentOf(path: string): string {
  const bytes = readFileSync(path)
  if (path.endsWith('.gz')) return gunzipSync(bytes).toString()
  return (path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString()
}

/** The lines of a log from the oldest generation to the log itself. */
export function allLines(log: string): string[] {
  const slash = log.lastIndexOf('/')
  const [directory, name] = [log.slice(0, slash), log.slice(slash + 1)]
  const generations = readdirSync(directory)
    .filter((entry) => entry.startsWith(`${name}.`))
    .sort((a, b) => Number(b.split('.').at(2)) - Number(a.split('.').at(2)))
  const texts = [
    ...generations.map((entry) => contentOf(`${directory}/${entry}`)),
    existsSync(log) ? contentOf(log) : '',
  ]
  return texts.flatMap((text) => text.split('\n').slice(0, -1))
}

export function rules(report: Report): string[] {
  return report.findings.map((finding) => finding.rule).sort()
}
