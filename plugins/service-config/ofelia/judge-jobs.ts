import { type Fact, type Finding, globMatcher, type HostReader } from '../../../agent/contract/mod.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import type { Place } from '../setting.ts'
import { programOf, suspicionsOf } from './commands.ts'
import type { Globals } from './globals.ts'
import type { JobType } from './keys.ts'
import { lastValue, type Section, type Value } from './model.ts'
import { comingOf } from './schedule.ts'
import { goBoolean, resolve } from './values.ts'

export type Job = Section & { kind: JobType }

export interface JobContext {
  globals: Globals
  runtime: Runtime
  jobs: readonly Job[]
  criticalJobs: readonly string[]
  now: Date
  host: HostReader
}

/** Pure but for a look at programs of local jobs. */
export function judgeJob(job: Job, context: JobContext): Finding[] {
  const { runtime } = context
  const value = (key: string) => read(job, key, runtime)
  return [
    ...judgeParts(job, value),
    ...judgeSchedule(job, value('schedule'), context.now),
    ...judgeDependencies(job, context.jobs),
    ...judgeCommand(job, value('command'), context),
    ...judgePrivilege(job, value, context.globals),
    ...judgeImage(job, value('image')),
    ...judgeOverlap(job, value('no-overlap'), context.criticalJobs),
  ]
}

/** An inventory of what is run when. */
export function factsOfJobs(jobs: readonly Job[], runtime: Runtime, now: Date): Fact[] {
  return jobs.slice(0, 1000).map((job) => {
    const schedule = read(job, 'schedule', runtime)?.text ?? ''
    const coming = comingOf(schedule, now)
    return {
      kind: 'scheduled-job',
      subject: `${job.kind} ${job.name}`.slice(0, 200),
      data: {
        path: job.place.path,
        line: job.place.line ?? null,
        schedule: schedule.slice(0, 100),
        comes: coming.kind,
        from: job.from,
      },
    }
  })
}

interface Read extends Value {
  /** With variables put in; undefined where nobody can tell. */
  known: string | undefined
}

function read(job: Job, key: string, runtime: Runtime): Read | undefined {
  const value = lastValue(job, key)
  return value && { ...value, known: job.from === 'label' ? value.text : resolve(value.text, runtime).text }
}

type Reader = (key: string) => Read | undefined

const about = (job: Job, key: string) => (key === '' ? job.prefix : `${job.prefix}.${key}`)

function complainOf(
  rule: RuleId,
  job: Job,
  key: string,
  place: Place | undefined,
  summary: string,
  remedy?: string,
  severity?: Finding['severity'],
): Finding {
  return complain(rule, {
    key: about(job, key),
    place: place ?? job.place,
    summary: `${job.kind} "${job.name.slice(0, 80)}": ${summary}`,
    remedy,
    ...(severity ? { severity } : {}),
  })
}

function judgeParts(job: Job, value: Reader): Finding[] {
  const lacks = (key: string) => (value(key)?.text ?? '') === ''
  const wanted: Record<JobType, string[][]> = {
    'job-exec': job.from === 'label' ? [['command']] : [['container'], ['command']],
    'job-run': job.from === 'label' ? [] : [['image', 'container']],
    'job-service-run': [['image']],
    'job-local': [['command']],
    'job-compose': [['service']],
  }
  // Without these Ofelia takes nothing of the whole file.
  const isFatal = job.from === 'file' && (job.kind === 'job-run' || job.kind === 'job-service-run')
  return wanted[job.kind]
    .filter((keys) => keys.every(lacks))
    .map((keys) => {
      const key = keys[0] ?? ''
      const effect = isFatal ? 'Ofelia starts without the whole file' : 'it fails whenever it runs'
      return complainOf(
        'broken-job',
        job,
        key,
        undefined,
        `${keys.join(' or ')} is missing, and ${effect}`,
        job.add(key, key.toUpperCase()),
      )
    })
}

function judgeSchedule(job: Job, schedule: Read | undefined, now: Date): Finding[] {
  if (schedule && schedule.known === undefined) return []
  const coming = comingOf(schedule?.known ?? '', now)
  if (coming.kind !== 'never') return []
  const remedy = schedule ? schedule.edit('0 3 * * *') : job.add('schedule', '0 3 * * *')
  return [
    complainOf('never-runs', job, 'schedule', schedule?.place, `it never runs: ${coming.reason}`, remedy),
  ]
}

function judgeDependencies(job: Job, jobs: readonly Job[]): Finding[] {
  const names = new Set(jobs.map(({ name }) => name))
  // Jobs of labels may be called by the service before their name.
  const isKnown = (name: string) => names.has(name) || [...names].some((known) => name.endsWith(`.${known}`))
  const findings = ['depends-on', 'on-success', 'on-failure'].flatMap((key) =>
    targetsOf(job, key)
      .filter(({ name }) => !isKnown(name))
      .map(({ name, place }) =>
        complainOf(
          'broken-job',
          job,
          key,
          place,
          `there is no job "${name.slice(0, 80)}" in what could be seen`,
        ),
      ),
  )
  const [waits] = targetsOf(job, 'depends-on')
  if (waits && dependsOnItself(job, jobs)) {
    findings.push(
      complainOf(
        'broken-job',
        job,
        'depends-on',
        waits.place,
        'it waits for itself, in the end: Ofelia refuses that',
      ),
    )
  }
  return findings
}

function targetsOf(job: Job, key: string): { name: string; place: Place }[] {
  const values = [...(job.keys.get(key.replaceAll('-', ''))?.values ?? [])]
  return values.flatMap(({ text, place }) => listOf(text).map((name) => ({ name, place })))
}

/** Labels hold lists as JSON. */
function listOf(text: string): string[] {
  if (!text.startsWith('[')) return text === '' ? [] : [text]
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed.filter((item): item is string => typeof item === 'string') : [text]
  } catch {
    return [text]
  }
}

function dependsOnItself(job: Job, jobs: readonly Job[]): boolean {
  const byName = new Map(jobs.map((other) => [other.name, other]))
  const seen = new Set<string>()
  const open = targetsOf(job, 'depends-on').map(({ name }) => name)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === job.name) return true
    const next = byName.get(name)
    if (seen.has(name) || !next) continue
    seen.add(name)
    open.push(...targetsOf(next, 'depends-on').map((target) => target.name))
  }
  return false
}

function judgeCommand(job: Job, command: Read | undefined, { host, runtime }: JobContext): Finding[] {
  const findings: Finding[] = []
  if (job.kind === 'job-local') {
    const summary = 'it runs on the host itself, with the rights of Ofelia'
    findings.push(
      complainOf(
        'local-job',
        job,
        '',
        undefined,
        summary,
        'Run it in a container (job-run, job-exec), or by a unit with a user of its own',
      ),
    )
  }
  if (!command) return findings
  for (const { rule, what, why, severity } of suspicionsOf(command.text)) {
    const remedy =
      'Put what it does into a script that was read, and name only that: command = /usr/local/lib/jobs/NAME'
    const finding = complainOf(rule, job, 'command', command.place, `${what}: ${why}`, remedy, severity)
    // Several things in one command are several findings.
    findings.push({ ...finding, subject: `${finding.subject} ${what}` })
  }
  const program =
    job.kind === 'job-local' && runtime.kind !== 'container' ? programOf(command.known ?? '') : undefined
  if (program !== undefined) {
    const stat = host.statTarget(program)
    if (stat && (stat.mode & 0o002) !== 0) {
      const summary = `everybody can change ${program}, which it runs`
      findings.push(
        complainOf('writable-command', job, 'command', command.place, summary, `chmod o-w ${program}`),
      )
    }
  }
  return findings
}

const HOST_DIRECTORIES = [
  '/',
  '/etc',
  '/root',
  '/proc',
  '/sys',
  '/dev',
  '/boot',
  '/var/lib/docker',
  '/usr',
  '/home',
  '/var',
]
const SOCKETS = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/podman/podman.sock',
  '/run/containerd/containerd.sock',
]

function judgePrivilege(job: Job, value: Reader, globals: Globals): Finding[] {
  const findings: Finding[] = []
  const user = value('user')
  if (job.kind !== 'job-local' && job.kind !== 'job-compose' && isRoot(user?.known)) {
    findings.push(complainOf('root-job', job, 'user', user?.place, 'it runs as root', user?.edit('nobody')))
  } else if (!user && job.kind !== 'job-local' && job.kind !== 'job-compose') {
    const byDefault = globals.of('default-user')
    if (isRoot(byDefault.text)) {
      findings.push(
        complainOf(
          'root-job',
          job,
          'user',
          undefined,
          `it runs as root, by default-user of ${byDefault.place.path}`,
          job.add('user', 'nobody'),
        ),
      )
    }
  }
  const privileged = value('privileged')
  if (goBoolean(privileged?.known ?? '') === true) {
    findings.push(
      complainOf(
        'root-job',
        job,
        'privileged',
        privileged?.place,
        'it runs with all privileges',
        privileged?.edit('false'),
      ),
    )
  }
  const network = value('network')
  if (network?.known === 'host') {
    findings.push(
      complainOf(
        'root-job',
        job,
        'network',
        network.place,
        'it runs in the network of the host',
        network.edit('none'),
        'warning',
      ),
    )
  }
  for (const { text, place, edit } of job.keys.get('volume')?.values ?? []) {
    for (const mount of listOf(text)) {
      const [source = '', , options = ''] = mount.split(':')
      const path = source === '/' ? '/' : source.replace(/\/+$/, '')
      const isReadOnly = options.split(',').includes('ro')
      const isSocket = SOCKETS.includes(path)
      if (!isSocket && !(HOST_DIRECTORIES.includes(path) && !isReadOnly)) continue
      const summary = isSocket
        ? `it gets ${path}, and with it the whole host`
        : `it may write to ${path} of the host`
      const remedy = isSocket
        ? 'Take the mount out'
        : edit(text.replace(mount, `${mount.split(':').slice(0, 2).join(':')}:ro`))
      const finding = complainOf('dangerous-mount', job, 'volume', place, summary, remedy)
      findings.push({ ...finding, subject: `${finding.subject} ${path}` })
    }
  }
  return findings
}

function isRoot(user: string | undefined): boolean {
  return user !== undefined && /^(root|0)(:.*)?$/.test(user)
}

function judgeImage(job: Job, image: Read | undefined): Finding[] {
  if (!image?.known || !['job-run', 'job-service-run'].includes(job.kind)) return []
  const [reference = '', digest] = image.known.split('@')
  if (digest !== undefined) {
    if (/^sha256:[0-9a-f]{64}$/.test(digest)) return []
    return [
      complainOf(
        'wrong-value',
        job,
        'image',
        image.place,
        'the digest of its image is none: sha256: and 64 hex digits',
      ),
    ]
  }
  const tag = /:([^/:]+)$/.exec(reference)?.[1]
  const remedy = `docker image inspect --format '{{index .RepoDigests 0}}' ${reference}\nWrite what it prints: image = NAME@sha256:…`
  if (tag === undefined || tag === 'latest') {
    const summary =
      tag === undefined
        ? 'its image has no tag: it is whatever "latest" is'
        : 'its image is whatever "latest" is'
    return [complainOf('mutable-image', job, 'image', image.place, summary, remedy)]
  }
  return [
    complainOf(
      'unpinned-image',
      job,
      'image',
      image.place,
      `its image is named by the tag ${tag}, not by its digest`,
      remedy,
    ),
  ]
}

function judgeOverlap(job: Job, noOverlap: Read | undefined, critical: readonly string[]): Finding[] {
  if (!globMatcher(critical)(job.name)) return []
  if (noOverlap?.known === undefined && noOverlap) return []
  if (goBoolean(noOverlap?.known ?? '') === true) return []
  const remedy = noOverlap ? noOverlap.edit('true') : job.add('no-overlap', 'true')
  const summary = 'it may run beside itself when it takes long'
  return [complainOf('overlap-allowed', job, 'no-overlap', noOverlap?.place, summary, remedy)]
}
