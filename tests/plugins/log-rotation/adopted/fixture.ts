import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import type { Report } from '../../../../agent/contract/mod.ts'
import type { configSchema } from '../../../../plugins/log-rotation/config.ts'
import plugin from '../../../../plugins/log-rotation/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../../kit/plugin.ts'
import { DAY_MS } from '../fixture.ts'

/** A small host with files of logrotate, and a job that follows them. `@` stands for its root. */
export class AdoptedHost implements Disposable {
  private readonly directory = temporaryDirectory('reeve-adopted')
  nowMs = Math.ceil(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
  config: z.input<typeof configSchema>

  constructor(files: Record<string, string> = {}) {
    mkdirSync(this.at('etc/logrotate.d'), { recursive: true, mode: 0o755 })
    mkdirSync(this.at('log'), { mode: 0o755 })
    this.write('etc/logrotate.conf', 'include @/etc/logrotate.d\n')
    for (const [path, text] of Object.entries(files)) this.write(path, text)
    this.config = {
      logrotate: [this.at('etc/logrotate.conf')],
      logrotateIncludes: [this.at('etc/logrotate.d')],
      logrotateDirectories: [this.at('log')],
      logrotateState: this.at('status'),
    }
  }

  at(path: string): string {
    return join(this.directory.path, path)
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true })
    writeFileSync(this.at(path), text.replaceAll('@', this.directory.path), { mode: 0o644 })
  }

  underTest() {
    return pluginUnderTest(plugin, this.config, {
      stateDir: this.at('state'),
      now: new Date(this.nowMs),
    })
  }

  check(): Promise<Report> {
    return this.underTest().check()
  }

  async enforce(): Promise<{ before: Report; applied: Report; after: Report }> {
    const job = this.underTest()
    const before = await job.check()
    const fixable = before.findings.filter((finding) => finding.fixable)
    const applied = fixable.length > 0 ? await job.apply(before.findings) : { findings: [] }
    return { before, applied, after: await job.check() }
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }
}
