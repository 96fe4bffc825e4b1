import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readConfigFiles } from '../config/files.ts'
import { configPath } from '../config/paths.ts'
import { type Audit, type AuditedItem, audits, jobsOf, type Verdict } from '../engine/audit.ts'
import type { Job } from '../engine/job.ts'
import { planJobs } from '../engine/scheduler.ts'
import { UserError } from '../lib/errors.ts'
import { suggestion } from '../lib/nearest.ts'
import { pluginDescriber } from '../phases.ts'
import { type CliCommand, EXIT, type Invocation } from './command.ts'
import { giveStateBack, type HostView, readHost, readStore } from './host.ts'
import { openOneShot } from './one-shot.ts'
import { paint, print, printJson, progressLine, time, visible } from './print.ts'

/** A checklist has a few dozen items, each with the findings that speak against it; so many are shown of each. */
const MAX_SHOWN = 5

export const audit: CliCommand = {
  name: 'audit',
  summary: 'Run the jobs of a checklist, looking only, and judge every item',
  usage: '[CHECKLIST…] [--set NAME=VALUE…] [--stored]',
  json: true,
  options: {
    stored: { type: 'boolean', means: 'Run nothing: judge by the last runs' },
    set: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      means: 'Parameter of a profile that is not in the configuration',
    },
    list: { type: 'boolean', means: 'Print the names of the checklists and profiles' },
    verbose: { type: 'boolean', short: 'v', means: 'Log to standard error' },
  },
  async run(invocation) {
    if (invocation.values.list) return list(invocation)
    const host = await hostWith(invocation)
    try {
      if (!invocation.values.stored) await look(host, invocation)
      const result = judged(host)
      if (invocation.json) printJson(result)
      else for (const one of result) printAudit(one)
      return Math.max(...result.map(exitCode))
    } finally {
      if (host.isTemporary) rmSync(host.stateDir, { recursive: true, force: true })
    }
  },
}

interface AuditedHost extends HostView {
  /** Nothing of it is kept: the profile is not in the configuration. */
  isTemporary: boolean
}

/** The configuration with just the wanted checklists and their jobs. */
async function hostWith(invocation: Invocation): Promise<AuditedHost> {
  const wanted = invocation.positionals
  const configured = await configuredHost(invocation)
  const names = configured?.checklists.map(({ name }) => name) ?? []
  const missing = wanted.filter((name) => !names.includes(name))
  if (wanted.length === 0 && names.length === 0) {
    throw new UserError(
      `No profile is in the configuration. Try one with "reeve audit NAME": ${profileNames(invocation).join(', ')}`,
    )
  }
  if (missing.length > 0) return temporaryHost(invocation, wanted)
  if (!configured) throw new UserError('There is no configuration')
  if (invocation.values.set)
    throw new UserError('--set is for a profile that is not in the configuration; change it there')
  const checklists = configured.checklists.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  return { ...only(configured, checklists), isTemporary: false }
}

/** Undefined where there is no configuration at all: a checklist can be tried without one. */
async function configuredHost(invocation: Invocation): Promise<HostView | undefined> {
  try {
    return await readHost(invocation)
  } catch (error) {
    const isMissing = error instanceof UserError && error.message.includes('there is no such file')
    if (isMissing && !invocation.config) return undefined
    throw error
  }
}

async function temporaryHost(invocation: Invocation, wanted: string[]): Promise<AuditedHost> {
  const known = profileNames(invocation)
  for (const name of wanted) {
    if (known.includes(name)) continue
    throw new UserError(`There is no profile "${name}"${suggestion(name, known)}`)
  }
  const parameters = parametersOf(invocation.values.set)
  const text = stringify({ profiles: wanted.map((use) => ({ use, ...parameters })) })
  const files = {
    path: 'reeve audit',
    files: [{ path: '--set', text }],
    profiles: ownProfiles(invocation),
    problems: [],
  }
  const { loadSetup } = await import('../setup.ts')
  const setup = await loadSetup('reeve audit', invocation.plugins, pluginDescriber, files)
  const stateDir = mkdtempSync(join(tmpdir(), 'reeve-audit-'))
  return {
    ...setup,
    keep: () => {},
    configPath: 'reeve audit',
    stateDir,
    database: `${stateDir}/reeve.db`,
    socket: null,
    isTemporary: true,
  }
}

function parametersOf(set: Invocation['values'][string]): Record<string, string> {
  const texts = Array.isArray(set) ? set : set === undefined ? [] : [set]
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([A-Za-z0-9]+)=(.*)$/s.exec(String(text)) ?? []
      if (name === undefined || value === undefined)
        throw new UserError(`Cannot read "--set ${text}": wanted NAME=VALUE`)
      return [name, value]
    }),
  )
}

function ownProfiles(invocation: Invocation): { path: string; text: string }[] {
  try {
    return readConfigFiles(configPath(invocation.config, process.env)).profiles
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

function profileNames(invocation: Invocation): string[] {
  const own = ownProfiles(invocation).flatMap(
    ({ text }) => /^name:\s*["']?([a-z0-9-]+)/m.exec(text)?.[1] ?? [],
  )
  return [...Object.keys(invocation.plugins.profiles ?? {}), ...own]
}

async function list(invocation: Invocation): Promise<number> {
  const host = await configuredHost(invocation)
  const configured = host?.checklists.map(({ name, profile, title }) => ({ name, profile, title })) ?? []
  const profiles = profileNames(invocation)
  if (invocation.json) printJson({ configured, profiles })
  else if (configured.length + profiles.length === 0) print('No profile is known.')
  else {
    for (const { name, title } of configured) print(`${name.padEnd(16)} in the configuration: ${title}`)
    for (const name of profiles) print(`${name.padEnd(16)} profile`)
  }
  return EXIT.clean
}

function only(host: HostView, checklists: HostView['checklists']): HostView {
  const used = jobsOf(checklists)
  return { ...host, checklists, jobs: host.jobs.filter(({ name }) => used.has(name)) }
}

/** Runs every job of the checklists once, as many at a time as there are processors. */
async function look(host: AuditedHost, { values }: Invocation): Promise<void> {
  const oneShot = openOneShot(host, values.verbose === true)
  let isStopped = false
  const stop = () => {
    isStopped = true
    void oneShot.runner.stop()
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const waiting = host.jobs.filter((job) => job.enabled).map((job): Job => ({ ...job, mode: 'observe' }))
  const total = waiting.length
  const lane = async () => {
    for (let job = waiting.shift(); job && !isStopped; job = waiting.shift()) {
      progressLine(`${total - waiting.length} of ${total}: ${job.name} …`)
      const start = oneShot.runner.start(job, 'manual', `cli:${process.getuid?.() ?? 0}`)
      if ('started' in start) await start.started.done
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), total) }, lane))
  } finally {
    progressLine(null)
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
    await oneShot.close()
    giveStateBack(host.stateDir)
  }
}

function judged(host: AuditedHost): Audit[] {
  const store = readStore(host)
  if (!store) throw new UserError('Nothing has run yet, so nothing can be judged: leave out --stored')
  const planned = planJobs(store, host.jobs, { now: Date.now(), isRunning: () => false })
  const result = audits(store, host.checklists, planned)
  store.close()
  return result
}

function exitCode({ score }: Audit): number {
  if (score.verdicts.blind > 0) return EXIT.failed
  return score.verdicts.fail > 0 ? EXIT.findings : EXIT.clean
}

const LOOKS: Record<Verdict, [word: string, style: Parameters<typeof paint>[0]]> = {
  pass: ['pass', 'green'],
  attested: ['attested', 'green'],
  fail: ['FAIL', 'red'],
  blind: ['BLIND', 'red'],
  waived: ['waived', 'yellow'],
  'not-applicable': ['n/a', 'dim'],
}

function printAudit({ name, title, items, score }: Audit): void {
  const width = Math.max(...items.map(({ id }) => id.length))
  print(paint('bold', `${name}: ${visible(title)}`))
  for (const item of items) {
    const [word, style] = LOOKS[item.verdict]
    print(`  ${paint(style, word.padEnd(8))}  ${item.id.padEnd(width)}  ${visible(item.title)}`)
    for (const line of details(item)) print(`${' '.repeat(14 + width)}${line}`)
  }
  const { passed, total, verdicts } = score
  const others = (['fail', 'blind', 'waived', 'not-applicable'] as const)
    .filter((verdict) => verdicts[verdict] > 0)
    .map((verdict) => `${verdicts[verdict]} ${LOOKS[verdict][0].toLowerCase()}`)
  const oldest = items.flatMap(({ lookedAt }) => lookedAt ?? [])
  print('')
  print(
    `${paint('bold', `${passed} of ${total}`)} ${total === 1 ? 'item is' : 'items are'} right${others.length > 0 ? ` (${others.join(', ')})` : ''}` +
      `${oldest.length > 0 ? `; the oldest look is of ${time(Math.min(...oldest))}` : ''}\n`,
  )
}

function details({ verdict, findings, reasons }: AuditedItem): string[] {
  if (verdict === 'fail') {
    const open = findings.filter((finding) => !finding.waived)
    const shown = open
      .slice(0, MAX_SHOWN)
      .flatMap((finding) => [
        visible(
          finding.summary.includes(finding.subject)
            ? finding.summary
            : `${finding.subject}: ${finding.summary}`,
        ),
        ...(finding.remedy?.split('\n') ?? []).map((line) => paint('cyan', `  ${visible(line)}`)),
      ])
    return open.length > MAX_SHOWN ? [...shown, `and ${open.length - MAX_SHOWN} more: reeve findings`] : shown
  }
  if (verdict === 'waived')
    return findings.map(({ summary, waived }) =>
      visible(`${summary}: ${waived?.reason} (${waived?.owner}, until ${waived?.expires})`),
    )
  return verdict === 'pass' || verdict === 'attested' ? [] : reasons.map(visible)
}
