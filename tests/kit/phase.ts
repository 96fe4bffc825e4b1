import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Permissions } from '../../agent/contract/permissions.ts'
import type { Finding, Json, Report } from '../../agent/contract/report.ts'
import { reportSchema } from '../../agent/contract/report-schema.ts'
import {
  encodeFrame,
  type JailRequest,
  type WorkerMessage,
  type WorkRequest,
} from '../../agent/worker/protocol.ts'
import { JAIL_ARGUMENT } from '../../agent/worker/self.ts'
import { reeveBinary } from './binary.ts'
import { recordReport } from './rule-cases.ts'

export interface PhaseSettings {
  plugin: string
  kind: 'check' | 'apply'
  /** As in the configuration file. */
  config: unknown
  permissions: Permissions
  /** What the kernel allows, where that is less than the host layer does. */
  jail?: Permissions
  stateDir: string
  now?: number
  memory?: Json | undefined
  findings?: Finding[]
  secrets?: Record<string, string>
  /** A command that starts the binary, as its own child. */
  wrap?: string[]
  signal?: AbortSignal
}

export interface PhaseResult {
  sandbox: string | undefined
  report: Report | undefined
  /** Why there is no report. */
  failure: string | undefined
  /** All that it wrote, on both streams. */
  output: string
  /** From the signal to its end; undefined when it had ended before. */
  afterSignalMs: number | undefined
}

/**
 * One phase of one job in the compiled binary, in its real jail: what the daemon does for every run, with any
 * permissions. The signal asks it to end, as a timeout does; nothing is killed.
 */
export async function runPhase(settings: PhaseSettings): Promise<PhaseResult> {
  const { plugin, kind, permissions, stateDir } = settings
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const common = { permissions, stateDir, root: '/', pluginFile: null }
  const jail: JailRequest = {
    ...common,
    permissions: settings.jail ?? permissions,
    sandbox: 'always',
    mayChange: kind === 'apply',
    parent: process.pid,
  }
  const work: WorkRequest = {
    ...common,
    kind,
    plugin,
    job: 'fixture',
    config: settings.config,
    jailed: true,
    now: settings.now ?? Date.now(),
    memory: settings.memory,
    secrets: settings.secrets ?? {},
    fingerprintKey: '11'.repeat(32),
    findings: settings.findings ?? [],
  }
  const child = Bun.spawn([...(settings.wrap ?? []), reeveBinary(), JAIL_ARGUMENT], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true,
    cwd: stateDir,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: stateDir,
      TMPDIR: stateDir,
    },
  })
  let signalled: number | undefined
  const end = () => {
    signalled = performance.now()
    process.kill(-child.pid, 'SIGTERM')
  }
  settings.signal?.addEventListener('abort', end, { once: true })
  const errors = child.stderr.text()
  child.stdin.write(encodeFrame(jail))
  child.stdin.write(encodeFrame(work))
  await child.stdin.flush()
  const messages: WorkerMessage[] = []
  let output = ''
  for await (const line of linesOf(child.stdout)) {
    output += `${line}\n`
    const message: WorkerMessage = JSON.parse(line)
    messages.push(message)
    if (message.type === 'report' || message.type === 'failed') break
  }
  const ended = performance.now()
  settings.signal?.removeEventListener('abort', end)
  await child.stdin.end() // the worker ends when whoever asked is gone
  await child.exited
  const report = messages.find((message) => message.type === 'report')
  const failed = messages.find((message) => message.type === 'failed')
  if (report) await recordReport(plugin, kind, reportSchema.parse(report.report))
  return {
    sandbox: messages.find((message) => message.type === 'jailed')?.sandbox,
    report: report && reportSchema.parse(report.report),
    failure: report ? undefined : (failed?.message ?? `it ended without an answer`),
    output: output + (await errors),
    afterSignalMs: signalled === undefined ? undefined : ended - signalled,
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** Everything about the entries below a directory but the times of reading, a line each. */
export function treeOf(directory: string, without: string[] = []): string {
  const skip = without.flatMap((path) => ['-path', join(directory, path), '-prune', '-o'])
  const format = '%P %y %m %U:%G %n %i %s %T@ %C@ %l\\n'
  const { exitCode, stdout, stderr } = Bun.spawnSync(['find', directory, ...skip, '-printf', format])
  if (exitCode !== 0) throw new Error(stderr.toString())
  return stdout.toString().split('\n').toSorted().join('\n')
}
