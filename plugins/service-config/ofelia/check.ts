import { describeError, type Fact, type Finding } from '../../../agent/contract/mod.ts'
import type { Circumstances, Look, Outcome } from '../look.ts'
import { pathOnHost } from '../read/compose.ts'
import { parseIni } from '../read/ini.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { inlineSecret } from '../secrets.ts'
import type { Place } from '../setting.ts'
import { Globals, judgeVariables } from './globals.ts'
import { factsOfJobs, judgeJob } from './judge-jobs.ts'
import { judgeFile, judgeSection } from './judge-keys.ts'
import { judgeMail, judgeWebhooks, WEBHOOK_RULES } from './judge-notifications.ts'
import { judgeWeb, WEB_RULES } from './judge-web.ts'
import { DOCKER, GLOBAL, OTHER_VARIABLES } from './keys.ts'
import { labelledSections } from './labels.ts'
import { isJob, lastValue, type OfeliaFile, sectionsOf } from './model.ts'
import { goBoolean, resolve } from './values.ts'

const DEFAULT_FILE = '/etc/ofelia/config.ini'
const ASK_TIMEOUT_MS = 20_000

export async function checkOfelia(look: Look, context: Circumstances): Promise<Outcome> {
  const all = readFiles(look)
  const findings: Finding[] = []
  const facts = new Map<string, Fact>()
  let hasWeb = false
  let hasWebhooks = false
  for (const runtime of look.runtimes) {
    const files = filesOf(look, all, runtime, findings)
    // It starts without what it cannot read, and what is left is not what anybody meant.
    if (files === 'unread') {
      hasWeb = hasWebhooks = true
      continue
    }
    const globals = new Globals(files, runtime, look.paths[0] ?? DEFAULT_FILE)
    hasWeb ||= !runtime.complete || globals.of('enable-web').text === undefined || globals.isOn('enable-web')
    const labelled = look.services.map((service) =>
      labelledSections(service, globals.isOn('allow-host-jobs-from-labels')),
    )
    const sections = [...files.flatMap((file) => file.sections), ...labelled.flatMap((it) => it.sections)]
    hasWebhooks ||= sections.some(({ kind }) => kind === 'webhook')
    const jobs = sections.filter(isJob)
    const web = judgeWeb(globals, runtime, context.config.addresses)
    for (const { rule, name } of web.unknown) {
      look.files.blind.push({
        subject: `${runtime.name} ${name}`,
        reason: 'its value comes from a variable that nobody can tell',
        rules: [rule],
      })
    }
    const jobContext = {
      globals,
      runtime,
      jobs,
      criticalJobs: context.config.ofelia.criticalJobs,
      now: context.now,
      host: context.host,
    }
    findings.push(
      ...files.flatMap((file) => judgeFile(file, runtime)),
      ...labelled.flatMap((it) => [
        ...it.findings,
        ...it.sections.flatMap((section) => judgeSection(section, runtime)),
      ]),
      ...globals.overridden(),
      ...judgeVariables(runtime, [...GLOBAL, ...DOCKER], OTHER_VARIABLES, referredBy(files)),
      ...web.findings,
      ...judgeSwitches(globals, files, runtime),
      ...judgeWebhooks(globals, sections, runtime),
      ...judgeMail(globals, sections, runtime),
      ...judgeInlineSecrets(files, runtime),
      ...jobs.flatMap((job) => judgeJob(job, jobContext)),
    )
    for (const fact of factsOfJobs(jobs, runtime, context.now)) facts.set(fact.subject, fact)
  }
  findings.push(...(await askProgram(look, context)))
  const idle = (rules: readonly RuleId[], reason: string) => rules.map((rule) => ({ rule, reason }))
  return {
    findings,
    facts: [...facts.values()],
    inapplicable: [
      ...(hasWeb ? [] : idle(WEB_RULES, 'the web interface is off')),
      ...(hasWebhooks ? [] : idle(WEBHOOK_RULES, 'no webhook is configured')),
    ],
  }
}

function readFiles(look: Look): OfeliaFile[] {
  return look.paths.flatMap((path) => {
    const text = look.files.text(path)
    if (text === undefined) return []
    try {
      return [sectionsOf(path, parseIni(text))]
    } catch (error) {
      look.files.refuse(path, error)
      return []
    }
  })
}

/** The files that this start of Ofelia reads: one, or those of a pattern, in the order of their names. */
function filesOf(
  look: Look,
  all: OfeliaFile[],
  runtime: Runtime,
  findings: Finding[],
): OfeliaFile[] | 'unread' {
  const isUnread = (path: string) => look.paths.includes(path) && !all.some((file) => file.path === path)
  if (runtime.kind === 'unknown') return look.paths.some(isUnread) ? 'unread' : all
  const named = configNamed(runtime)
  if (named && named.path === undefined) {
    look.files.dark(runtime.name, 'the value of OFELIA_CONFIG is not known')
    return 'unread'
  }
  const wanted = named?.path ?? DEFAULT_FILE
  const path = runtime.container ? pathOnHost(runtime.container, wanted) : wanted
  const place = named?.place ?? runtime.place ?? { path: wanted }
  if (path === undefined) {
    // It lies in the image, or nowhere: then labels and variables are all there is.
    if (!named) return []
    look.files.dark(`${runtime.name} ${wanted}`, 'it is not mounted from a place of this host')
    return 'unread'
  }
  const paths = new Set(look.files.host.glob(path, () => {}).map((entry) => entry.path))
  const foreign = [...paths].filter((it) => !look.paths.includes(it))
  for (const it of foreign) look.files.dark(it, 'Ofelia reads it, and this job does not: add it to "files"')
  if (foreign.length > 0 || [...paths].some(isUnread)) return 'unread'
  const used = all.filter((file) => paths.has(file.path))
  if (paths.size === 0) {
    const summary = `Ofelia reads ${path}, which is not there: it starts with nothing but labels and variables`
    const found = look.paths[0]
    const remedy = found ? `Name ${found} by --config=${found}, or OFELIA_CONFIG` : undefined
    if (found || named)
      findings.push(complain('other-file-in-use', { key: 'OFELIA_CONFIG', place, summary, remedy }))
  } else if (!runtime.container) {
    for (const file of all.filter((it) => !paths.has(it.path))) {
      const summary = `Ofelia does not read ${file.path}: it reads ${path}`
      const remedy = `Start it with a pattern that matches all of them, such as --config='/etc/ofelia/conf.d/*.ini'`
      findings.push(complain('other-file-in-use', { key: '', place: { path: file.path }, summary, remedy }))
    }
  }
  return used
}

function configNamed({
  command,
  variables,
}: Runtime): { path: string | undefined; place: Place } | undefined {
  for (const [index, { text, place }] of command.entries()) {
    const joined = /^--config=(.+)$/.exec(text)?.[1]
    const path = joined ?? (text === '--config' ? command[index + 1]?.text : undefined)
    if (path !== undefined) return { path, place }
  }
  const variable = variables.get('OFELIA_CONFIG')
  return variable && { path: variable.value, place: variable.place }
}

/** Names of all variables that files refer to: they are read, whatever they are called. */
function referredBy(files: readonly OfeliaFile[]): Set<string> {
  const texts = files.flatMap(({ sections }) =>
    sections.flatMap(({ keys }) =>
      [...keys.values()].flatMap(({ values }) => values.map(({ text }) => text)),
    ),
  )
  return new Set(texts.flatMap((text) => [...text.matchAll(/\$\{([^}:]+)/g)].map((match) => match[1] ?? '')))
}

/** Switches of the whole program that weaken it. */
function judgeSwitches(globals: Globals, files: readonly OfeliaFile[], runtime: Runtime): Finding[] {
  const findings: Finding[] = []
  const labels = globals.of('allow-host-jobs-from-labels')
  if (goBoolean(labels.text ?? '') === true) {
    const summary =
      'Jobs of the host are taken from labels: who may start a container may run commands on this host'
    findings.push(
      complain('host-jobs-from-labels', {
        key: labels.name,
        place: labels.place,
        summary,
        remedy: labels.edit('false'),
      }),
    )
  }
  for (const section of files.flatMap((file) => file.sections)) {
    const events = section.kind === 'docker' ? lastValue(section, 'events') : undefined
    if (events && goBoolean(resolve(events.text, runtime).text ?? '') === false) {
      const summary = 'Ofelia does not see when containers come and go: jobs of new ones do not run'
      findings.push(
        complain('events-off', {
          key: 'docker.events',
          place: events.place,
          summary,
          remedy: events.edit('true'),
        }),
      )
    }
    for (const key of ['save-mode', 'save-folder-mode']) {
      const mode = lastValue(section, key)
      const digits = /^(?:0[oO])?0*([0-7]{1,3})$/.exec(mode?.text ?? '')?.[1]
      if (!mode || digits === undefined || (Number.parseInt(digits, 8) & 0o007) === 0) continue
      const summary = `${key} ${mode.text} lets everybody read what jobs print`
      const remedy = mode.edit(key === 'save-mode' ? '0640' : '0750')
      findings.push(
        complain('readable-output', { key: `${section.prefix}.${key}`, place: mode.place, summary, remedy }),
      )
    }
  }
  return findings
}

/** Secrets that are written into the unit or the Compose file. */
function judgeInlineSecrets(files: readonly OfeliaFile[], runtime: Runtime): Finding[] {
  const secrets = new Set(GLOBAL.flatMap(({ secret, variable }) => (secret && variable ? [variable] : [])))
  for (const { keys } of files.flatMap(({ sections }) => sections)) {
    for (const { folded, values } of keys.values()) {
      if (!/password|secret|token|hash|slackwebhook/.test(folded)) continue
      for (const { text } of values) for (const name of resolve(text, runtime).names) secrets.add(name)
    }
  }
  return [...runtime.variables.values()]
    .filter(({ name, value, inline }) => inline && secrets.has(name) && value)
    .map((variable) => inlineSecret(variable))
}

/** What `ofelia validate` says, where the job is told to ask it. Its words are not repeated: they may hold secrets. */
async function askProgram(look: Look, { host, config, signal }: Circumstances): Promise<Finding[]> {
  const { program } = config.ofelia
  if (program === undefined) return []
  const findings: Finding[] = []
  for (const file of look.locations.files) {
    if (host.glob(file, () => {}).length === 0) continue
    const dark = (reason: string) =>
      look.files.blind.push({ subject: program, reason, rules: ['refused-by-program'] })
    try {
      const result = await host.run([program, 'validate', `--config=${file}`], {
        timeout: ASK_TIMEOUT_MS,
        signal,
      })
      if (result.timedOut || result.exitCode === null)
        dark(`it did not answer within ${ASK_TIMEOUT_MS / 1000} s`)
      else if (result.exitCode !== 0) {
        const summary = `ofelia validate refuses ${file}`
        const remedy = `${program} validate --config=${file}`
        findings.push(
          complain('refused-by-program', {
            key: '',
            place: { path: file },
            summary,
            remedy,
            evidence: { exitCode: result.exitCode },
          }),
        )
      }
    } catch (error) {
      dark(describeError(error))
    }
  }
  return findings
}
