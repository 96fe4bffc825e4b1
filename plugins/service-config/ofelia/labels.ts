import { type Finding, foldName } from '../../../agent/contract/mod.ts'
import type { ComposeEntry, ComposeService } from '../read/compose.ts'
import { complain } from '../rules.ts'
import { editEntry } from '../runtime.ts'
import { deleteLine, insertAfterLine, replaceOnLine } from '../setting.ts'
import { GLOBAL, JOB_TYPES } from './keys.ts'
import { isJob, type Key, type Section } from './model.ts'

export interface LabelledSections {
  sections: Section[]
  findings: Finding[]
}

/**
 * Pure: jobs, webhooks and settings in the labels of a Compose service, as Ofelia reads them, and the labels that it
 * refuses. `hostJobs`: whether it takes jobs of the host from labels.
 */
export function labelledSections(service: ComposeService, hostJobs: boolean): LabelledSections {
  const labels = service.labels.filter(({ name }) => name.startsWith('ofelia.'))
  if (labels.length === 0) return { sections: [], findings: [] }
  const findings: Finding[] = []
  const byPrefix = new Map<string, Section>()
  const isEnabled = labels.some(({ name, value }) => name === 'ofelia.enabled' && value === 'true')
  const isService = labels.some(({ name, value }) => name === 'ofelia.service' && value === 'true')
  const refuse = (label: ComposeEntry, why: string, remedy?: string) => {
    const place = { path: service.path, line: label.line }
    const key = `${service.name}.labels.${label.name.slice(0, 200)}`
    const summary = `Ofelia passes over the label ${label.name.slice(0, 200)}: ${why}`
    findings.push(
      complain('label-without-effect', { key, place, summary, remedy: remedy ?? deleteLine(place) }),
    )
  }
  for (const label of labels) {
    if (label.name === 'ofelia.enabled' || label.name === 'ofelia.service') continue
    const [, first = '', name = '', parameter = ''] = label.name.split('.')
    if (label.name.split('.').length < 4) {
      const why = refusalOfGlobal(first, isService)
      if (why) refuse(label, why)
      else section(byPrefix, service, 'global', '').keys.set(foldName(first), keyOf(service, label, first))
      continue
    }
    if (first === 'webhook') {
      if (!isService) refuse(label, 'webhooks are read from the labels of Ofelia itself only')
      else
        section(byPrefix, service, 'webhook', name).keys.set(
          foldName(parameter),
          keyOf(service, label, parameter),
        )
      continue
    }
    const kind = JOB_TYPES.find((type) => type === first)
    if (!kind) {
      refuse(label, `there is no kind of job ${first.slice(0, 80)}`)
      continue
    }
    if (!isService && (kind === 'job-local' || kind === 'job-service-run')) {
      refuse(label, `${kind} is read from the labels of Ofelia itself only`)
      continue
    }
    if (!hostJobs && (kind === 'job-local' || kind === 'job-compose')) {
      refuse(label, 'jobs of the host are not taken from labels')
      continue
    }
    section(byPrefix, service, kind, name).keys.set(foldName(parameter), keyOf(service, label, parameter))
  }
  const [only] = labels
  if (!isEnabled && only) {
    const remedy = insertLabel(service, only, 'ofelia.enabled', 'true')
    refuse(only, 'ofelia.enabled is not "true" here, so that none of these labels counts', remedy)
    return { sections: [], findings: findings.slice(-1) }
  }
  if (!hostJobs) findings.push(...droppedJobs([...byPrefix.values()]))
  return { sections: [...byPrefix.values()], findings }
}

function refusalOfGlobal(key: string, isService: boolean): string | undefined {
  if (!isService) return 'settings are read from the labels of Ofelia itself only'
  if (key === 'webhooks') return undefined
  const spec = GLOBAL.find((candidate) => foldName(candidate.key) === foldName(key))
  if (!spec) return 'there is no such setting'
  return spec.label ? undefined : 'this setting is read from the configuration only'
}

/** New containers that get something of the host are dropped as a whole. */
function droppedJobs(sections: Section[]): Finding[] {
  return sections.filter(isJob).flatMap((job): Finding[] => {
    if (job.kind !== 'job-run' && job.kind !== 'job-service-run') return []
    const mounts = job.keys.get('volume')?.values.filter(({ text }) => /(^|[["\s,])[./~]/.test(text)) ?? []
    const taken = [...mounts, ...(job.keys.get('volumesfrom')?.values ?? [])]
    return taken.map(({ place }) => {
      const summary = `Ofelia drops ${job.kind} "${job.name.slice(0, 80)}": what a label says may get nothing of the host`
      return complain('label-without-effect', {
        key: `${job.prefix}.volume`,
        place,
        summary,
        remedy: 'Move the job into the configuration of Ofelia',
      })
    })
  })
}

function section(
  byPrefix: Map<string, Section>,
  service: ComposeService,
  kind: Section['kind'],
  name: string,
): Section {
  const prefix = kind === 'global' ? kind : `${kind}.${name}`
  const known = byPrefix.get(prefix)
  if (known) return known
  const [first] = service.labels.filter((label) =>
    label.name.startsWith(name === '' ? 'ofelia.' : `ofelia.${prefix}.`),
  )
  const place = { path: service.path, line: first?.line ?? service.line }
  const made: Section = {
    kind,
    name,
    prefix: `${service.name}.${prefix}`,
    from: 'label',
    place,
    keys: new Map(),
    add: (key, value) =>
      first
        ? insertLabel(service, first, `ofelia.${prefix}.${key}`, value)
        : `Add the label ofelia.${prefix}.${key}=${value}`,
  }
  byPrefix.set(prefix, made)
  return made
}

/** A label beside another one, written as that one is. */
function insertLabel(service: ComposeService, beside: ComposeEntry, name: string, value: string): string {
  const place = { path: service.path, line: beside.line }
  const { list, flow, indent } = service.labelStyle
  if (flow)
    return replaceOnLine(place, list ? '[' : '{', list ? `["${name}=${value}", ` : `{${name}: "${value}", `)
  return insertAfterLine(place, ' '.repeat(indent) + (list ? `- ${name}=${value}` : `${name}: "${value}"`))
}

function keyOf(service: ComposeService, entry: ComposeEntry, name: string): Key {
  const { value, line } = entry
  const place = { path: service.path, line }
  const text = value ?? ''
  const edit = editEntry(place, entry)
  return { name, folded: foldName(name), values: [{ text, place, edit }] }
}
