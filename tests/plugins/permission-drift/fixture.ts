import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommandArgs, CommandResult, Finding, Json, Report, z } from '../../../agent/contract/mod.ts'
import { toSystemPath } from '../../../agent/host/names.ts'
import drift from '../../../plugins/permission-drift/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

export type ConfigInput = z.input<typeof drift.config>

/** A host of its own: a root directory with accounts, a state directory, and the plugin on it. */
export function hostFixture() {
  const directory = temporaryDirectory('reeve-drift')
  const root = directory.path
  let memory: Json | undefined
  const make = (path: string, mode = 0o644, text = '') => {
    mkdirSync(toSystemPath(root + dirname(path)), { recursive: true })
    writeFileSync(toSystemPath(root + path), text, { mode })
  }
  make('/etc/passwd', 0o644, 'root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n')
  make('/etc/group', 0o644, 'root:x:0:\nana:x:1000:\nshadow:x:42:\n')
  mkdirSync(`${root}/state`)
  let now = new Date('2027-01-02T03:04:05.678Z')
  const on = (config: ConfigInput) => pluginUnderTest(drift, config, { root, stateDir: '/state', now })
  return {
    root,
    make,
    memory: () => memory,
    /** Lets the clock of the runs go on. */
    wait: (ms: number) => {
      now = new Date(now.getTime() + ms)
    },
    now: () => now,
    remember: (value: Json | undefined) => {
      memory = value
    },
    /** Checks, and keeps the memory for the next time as the engine does. */
    async check(config: ConfigInput): Promise<Report> {
      const report = await on(config).check(memory)
      memory = report.memory
      return report
    },
    async apply(config: ConfigInput, findings: Finding[]): Promise<Report> {
      return on(config).apply(findings, memory)
    },
    command(config: ConfigInput, verb: string, args: Partial<CommandArgs> = {}): Promise<CommandResult> {
      return on(config).command(verb, args, memory)
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

export const tellAll = (report: Report): string[] =>
  report.findings.map(({ rule, subject }) => `${rule} ${subject}`)
