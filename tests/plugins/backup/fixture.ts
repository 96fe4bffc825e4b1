import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { CommandResult, Finding, Report } from '../../../agent/contract/mod.ts'
import { toGrants } from '../../../agent/host/grants.ts'
import { LocalHostWriter } from '../../../agent/host/writer.ts'
import type { configSchema } from '../../../plugins/backup/config.ts'
import plugin from '../../../plugins/backup/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

export const PASSPHRASE = 'correct horse battery staple'
export const PASSPHRASE_REFERENCE = 'env:BACKUP_PASSPHRASE'
export const DAY_MS = 86_400_000

type Input = z.input<typeof configSchema>

/** A source, a destination and a state directory of their own; the backups are for a passphrase unless told else. */
export class BackupFixture implements Disposable {
  private readonly directory = temporaryDirectory('reeve-backup')
  readonly source = join(this.directory.path, 'source')
  readonly destination = join(this.directory.path, 'backups')
  readonly stateDir = join(this.directory.path, 'state')
  now = new Date('2026-11-23T03:15:00.000Z')
  signal = new AbortController().signal
  secrets: Record<string, string> = { [PASSPHRASE_REFERENCE]: PASSPHRASE }

  constructor(private config: Partial<Input> = {}) {
    mkdirSync(this.source)
    mkdirSync(this.destination, { mode: 0o700 })
    mkdirSync(this.stateDir, { mode: 0o700 })
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
  }

  get path(): string {
    return this.directory.path
  }

  /** From now on the plugin has another configuration. */
  change(config: Partial<Input>): void {
    this.config = { ...this.config, ...config }
  }

  /** Writes a file of the source. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.source, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
    return path
  }

  makeDirectory(name: string): string {
    const path = join(this.directory.path, name)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return path
  }

  /** The plugin with this fixture's configuration, as of `now`. */
  get subject() {
    const config: Input = {
      sources: { paths: [this.source] },
      destinations: [onDisk(this.destination)],
      ...(this.config.recipients ? {} : { passphrase: PASSPHRASE_REFERENCE }),
      ...this.config,
    }
    const { stateDir, now, secrets, signal } = this
    return pluginUnderTest(plugin, config, { stateDir, now, secrets, signal })
  }

  check(): Promise<Report> {
    return this.subject.check()
  }

  /** check → apply → check, as the engine does it. */
  async enforce(): Promise<{ before: Report; applied: Report; after: Report }> {
    const before = await this.check()
    const applied = await this.subject.apply(before.findings)
    return { before, applied, after: await this.check() }
  }

  /** A command with exactly its own permissions; `job: false` is a machine without a configuration. */
  async command(
    verb: string,
    args: { values?: Record<string, string | boolean>; positionals?: string[]; job?: boolean } = {},
  ): Promise<CommandResult> {
    const command = plugin.commands?.[verb]
    if (!command) throw new Error(`there is no command ${verb}`)
    const config = args.job === false ? undefined : this.subject.config
    const given = { values: args.values ?? {}, positionals: args.positionals ?? [] }
    const permissions = command.permissions(config, given)
    const grants = toGrants(permissions, this.stateDir, (pattern) => [pattern])
    return command.run({
      config,
      args: given,
      job: 'backup',
      now: this.now,
      signal: this.signal,
      log: { info: () => {}, warn: () => {} },
      stateDir: this.stateDir,
      memory: undefined,
      secret: (reference) => {
        const value = permissions.secrets?.includes(reference) ? this.secrets[reference] : undefined
        if (value === undefined) throw new Error(`the secret "${reference}" is not declared`)
        return value
      },
      fingerprint: () => '',
      progress: () => {},
      host: new LocalHostWriter('/', grants),
      state: new LocalHostWriter(
        '/',
        toGrants({}, this.stateDir, (pattern) => [pattern]),
      ),
    })
  }
}

/** A directory as a destination. */
export function onDisk(directory: string, name = 'disk') {
  return { name, type: 'directory' as const, directory }
}

/** "rule subject" of each finding. */
export function rulesOf(report: { findings: Finding[] }): string[] {
  return report.findings.map(({ rule }) => rule)
}

/** Names of the stored backups, without their seals, in order. */
export function storedIn({ destination }: BackupFixture): string[] {
  return readdirSync(destination)
    .filter((name) => name.endsWith('.tar.zst.gpg'))
    .sort()
}
