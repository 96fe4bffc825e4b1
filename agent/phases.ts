import { lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveSecret } from './config/secrets.ts'
import type { Permissions } from './contract/permissions.ts'
import type { OwnToken } from './contract/plugin.ts'
import type { Json } from './contract/report.ts'
import type { PhaseInput, PhaseOutput } from './engine/runner.ts'
import { hmacSha256 } from './lib/digest.ts'
import { describeError, UserError } from './lib/errors.ts'
import type { Redactor } from './lib/redact.ts'
import type { StateDirectory } from './state-directory.ts'
import type { PluginDescription } from './worker/external.ts'
import { runPhase } from './worker/spawn.ts'

const DESCRIBE_TIMEOUT_MS = 20_000

export interface PhaseParts {
  state: StateDirectory
  ownTokens(): OwnToken[]
  redactor: Redactor
  log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, Json>): void
}

/** Runs a phase of a job in a jailed worker: what the engine calls `execute`. */
export function phaseExecutor(parts: PhaseParts): (input: PhaseInput) => Promise<PhaseOutput> {
  return async ({ kind, job, now, memory, actions, findings, timeoutMs, signal, onProgress }) => {
    const permissions = (kind === 'check' ? job.permissions.check : job.permissions.apply) ?? {}
    let secrets: Record<string, string>
    try {
      // Again at every run: it may have been opened to others since the configuration was checked.
      if (job.plugin.file) assertTrusted(job.plugin.file)
      secrets = resolveAll(permissions, parts.redactor)
    } catch (error) {
      return { status: 'failed', sandbox: null, reason: describeError(error) }
    }
    const stateDir = parts.state.forJob(job.name)
    return runPhase({
      jail: {
        sandbox: job.sandbox,
        permissions,
        stateDir,
        mayChange: kind === 'apply',
        root: '/',
        pluginFile: job.plugin.file,
      },
      work: {
        kind,
        plugin: job.plugin.name,
        pluginFile: job.plugin.file,
        job: job.name,
        config: job.config,
        permissions,
        jailed: job.sandbox !== 'off',
        stateDir,
        root: '/',
        now,
        memory,
        actions,
        secrets,
        fingerprintKey: fingerprintKey(parts.state.hostKey, job.plugin.name),
        ...(job.plugin.file === null ? { ownTokens: parts.ownTokens() } : {}),
        findings,
      },
      env: grantedEnvironment(permissions),
      timeoutMs,
      signal,
      onProgress,
      onLog: ({ level, message, fields }) => parts.log(level, message, { job: job.name, ...fields }),
    })
  }
}

/** Asks an external plugin file what it is, in a jail that lets it do nothing at all. */
export async function pluginDescriber(
  file: string,
  configs: Record<string, unknown>,
): Promise<PluginDescription> {
  assertTrusted(file)
  const stateDir = mkdtempSync(join(tmpdir(), 'reeve-plugin-'))
  const common = { permissions: {}, stateDir, root: '/', pluginFile: file }
  try {
    const end = await runPhase({
      jail: { ...common, sandbox: 'auto', mayChange: false },
      work: {
        ...common,
        kind: 'describe',
        plugin: '',
        job: '',
        config: configs,
        jailed: true,
        now: Date.now(),
        memory: undefined,
        secrets: {},
        fingerprintKey: '00',
        findings: [],
      },
      env: {},
      timeoutMs: DESCRIBE_TIMEOUT_MS,
    })
    if (end.status !== 'done') throw new Error(`Cannot load the plugin "${file}": ${end.reason}`)
    // Loaded only here: most hosts have no external plugin.
    const { descriptionSchema } = await import('./worker/description-schema.ts')
    const description = descriptionSchema.safeParse(end.answer)
    if (description.success) return description.data
    const issue = description.error.issues[0]
    throw new Error(`Cannot use the plugin "${file}": ${issue?.path.join('.')}: ${issue?.message}`)
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}

/** Who can write a plugin file decides what reeve runs: root and the user that reeve runs as, nobody else. */
function assertTrusted(file: string): void {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  const refuse = (reason: string) => new UserError(`Cannot load the plugin "${file}": ${reason}`)
  if (!stat) throw refuse('there is no such file')
  if (!stat.isFile()) throw refuse('it is no regular file')
  if (stat.uid !== 0 && stat.uid !== process.getuid?.()) throw refuse(`it belongs to user id ${stat.uid}`)
  if (stat.mode & 0o022) throw refuse(`others can write it; run: chmod go-w ${file}`)
}

export function resolveAll(permissions: Permissions, redactor: Redactor): Record<string, string> {
  return Object.fromEntries(
    (permissions.secrets ?? []).map((reference) => [
      reference,
      resolveSecret(reference, process.env, { redactor }),
    ]),
  )
}

/** One key for each plugin, so that no plugin can compute another one's identities. */
export function fingerprintKey(hostKey: Buffer, plugin: string): string {
  return hmacSha256(hostKey, `fingerprint\0${plugin}`)
}

export function grantedEnvironment(permissions: Permissions): Record<string, string> {
  return Object.fromEntries(
    ['TZ', ...(permissions.env ?? [])].flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
