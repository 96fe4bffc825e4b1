import type { Finding } from '../../../agent/contract/mod.ts'
import { complain, type RuleId } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { replaceOnLine } from '../setting.ts'
import type { Globals } from './globals.ts'
import { PRESET_HOSTS } from './keys.ts'
import { isJob, lastValue, type Section, type Value } from './model.ts'
import { goBoolean, resolve } from './values.ts'

/** Rules that have nothing to judge where nothing is sent by webhook. */
export const WEBHOOK_RULES: readonly RuleId[] = [
  'any-webhook-host',
  'blocked-webhook',
  'unencrypted-webhook',
  'remote-presets',
]

/** Pure: where webhooks go, and whether they may. */
export function judgeWebhooks(globals: Globals, sections: readonly Section[], runtime: Runtime): Finding[] {
  const webhooks = sections.filter(({ kind }) => kind === 'webhook')
  const slack = [globals.section, ...sections.filter(isJob)].flatMap((section) => {
    const value = lastValue(section, 'slack-webhook')
    return value && value.text !== '' ? [{ section, value }] : []
  })
  if (webhooks.length === 0 && slack.length === 0) return []
  const findings: Finding[] = []
  const allowed = globals.of('webhook-allowed-hosts')
  const hosts = (allowed.text ?? '')
    .split(',')
    .map((host) => host.trim().toLowerCase())
    .filter((host) => host !== '')
  const isOpen = allowed.text !== undefined && (hosts.length === 0 || hosts.includes('*'))
  const targets = webhooks.map((section) => ({ section, ...targetOf(section, runtime) }))
  if (isOpen && webhooks.length > 0) {
    const named = [...new Set(targets.flatMap(({ host }) => host ?? []))]
    const summary = `Webhooks may go to any host${allowed.isDefault ? ', by the default of Ofelia' : ''}`
    const remedy = allowed.edit(named.length > 0 ? named.join(', ') : 'HOST, *.EXAMPLE.ORG')
    findings.push(complain('any-webhook-host', { key: allowed.name, place: allowed.place, summary, remedy }))
  }
  for (const { section, value, host, scheme, problem } of targets) {
    const place = value?.place ?? section.place
    const key = `${section.prefix}.url`
    if (problem) findings.push(complain('blocked-webhook', { key, place, summary: problem }))
    if (scheme !== undefined && scheme !== 'https' && !(scheme === 'http' && isHere(host))) {
      const summary =
        scheme === 'http'
          ? 'The webhook is sent without encryption'
          : 'The address of the webhook is none of https'
      const remedy = value && scheme === 'http' ? replaceOnLine(value.place, 'http:', 'https:') : undefined
      findings.push(complain('unencrypted-webhook', { key, place, summary, remedy }))
    }
    if (
      host !== undefined &&
      !isOpen &&
      allowed.text !== undefined &&
      !hosts.some((pattern) => matches(pattern, host))
    ) {
      const summary = `The webhook goes to ${host}, which webhook-allowed-hosts does not name: it is never sent`
      const remedy = allowed.edit([...hosts, host].join(', '))
      findings.push(complain('blocked-webhook', { key, place, summary, remedy, evidence: { host } }))
    }
  }
  for (const { section, value } of slack) {
    const text = resolve(value.text, runtime).text ?? ''
    if (!/^http:/i.test(text)) continue
    const summary = 'The webhook is sent without encryption'
    findings.push(
      complain('unencrypted-webhook', {
        key: `${section.prefix}.slack-webhook`,
        place: value.place,
        summary,
      }),
    )
  }
  return [...findings, ...judgeNames(globals, sections, webhooks), ...judgePresets(globals)]
}

interface Target {
  value?: Value | undefined
  host?: string | undefined
  scheme?: string | undefined
  /** Why it can never be sent. */
  problem?: string | undefined
}

function targetOf(section: Section, runtime: Runtime): Target {
  const value = lastValue(section, 'url')
  const preset = lastValue(section, 'preset')?.text ?? ''
  if (!value || value.text === '') {
    const host = PRESET_HOSTS[preset]
    // Presets of one's own, and those for servers of one's own, are not known here.
    const problem = preset === '' ? 'The webhook has neither url nor preset: it is never sent' : undefined
    return { host, scheme: host ? 'https' : undefined, problem }
  }
  const { text, missing } = resolve(value.text, runtime)
  if (text === undefined || missing.length > 0) return { value }
  const [, scheme = '', host] = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/@]*@)?(\[[^\]]+\]|[^/:?#]+)/i.exec(text) ?? []
  if (host === undefined) return { value, scheme: 'none' }
  return { value, host: host.toLowerCase(), scheme: scheme.toLowerCase() }
}

function isHere(host: string | undefined): boolean {
  return host !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)
}

/** "*.example.org" is every host below it. */
function matches(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : pattern === host
}

function judgeNames(globals: Globals, sections: readonly Section[], webhooks: readonly Section[]): Finding[] {
  const known = new Set(webhooks.map(({ name }) => name))
  const selections = [
    ...(globals.of('webhook-webhooks').isDefault ? [] : [globals.of('webhook-webhooks')]),
    ...sections.filter(isJob).flatMap((section) => {
      const value = lastValue(section, 'webhooks')
      return value ? [{ name: `${section.prefix}.webhooks`, text: value.text, place: value.place }] : []
    }),
  ]
  return selections.flatMap(({ name, text, place }) =>
    (text ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '' && !known.has(part))
      .map((part) => {
        const summary = `There is no section [webhook "${part.slice(0, 80)}"]: nothing is sent`
        return complain('blocked-webhook', { key: name, place, summary })
      }),
  )
}

function judgePresets(globals: Globals): Finding[] {
  if (!globals.isOn('webhook-allow-remote-presets')) return []
  const sources = globals.of('webhook-trusted-preset-sources')
  const isNarrow = (sources.text ?? '')
    .split(',')
    .every((source) => source.trim() !== '' && !/^(\*|https?:\/\/\*|gh:\*)/.test(source.trim()))
  if (isNarrow) return []
  const remote = globals.of('webhook-allow-remote-presets')
  const summary =
    'Templates of messages may be fetched from anywhere: who changes one there reads what is sent'
  return [
    complain('remote-presets', {
      key: remote.name,
      place: remote.place,
      summary,
      remedy: remote.edit('false'),
    }),
  ]
}

/** Pure: mail that goes out in clear, of all jobs and of single ones. */
export function judgeMail(globals: Globals, sections: readonly Section[], runtime: Runtime): Finding[] {
  const findings: Finding[] = []
  const hosts = [
    globals.of('smtp-host').text ?? 'set',
    ...sections.filter(isJob).map((job) => lastValue(job, 'smtp-host')?.text ?? ''),
  ]
  if (hosts.every((host) => host === '' || isHere(host))) return []
  const settings = [
    {
      section: globals.section,
      policy: globals.of('smtp-tls-policy'),
      skip: globals.of('smtp-tls-skip-verify'),
    },
    ...sections.filter(isJob).map((section) => ({
      section,
      policy: own(section, 'smtp-tls-policy', runtime),
      skip: own(section, 'smtp-tls-skip-verify', runtime),
    })),
  ]
  for (const { policy, skip } of settings) {
    if (policy && (policy.text === 'none' || policy.text === 'opportunistic')) {
      const summary =
        policy.text === 'none'
          ? 'Mail goes out in clear, with its password'
          : 'Mail goes out in clear, with its password, when the server says that it cannot encrypt'
      findings.push(
        complain('unencrypted-mail', {
          key: policy.name,
          place: policy.place,
          summary,
          remedy: policy.edit('mandatory'),
        }),
      )
    }
    if (skip && goBoolean(skip.text ?? '') === true) {
      const summary = 'The certificate of the mail server is not looked at: anybody may stand in for it'
      findings.push(
        complain('unencrypted-mail', {
          key: skip.name,
          place: skip.place,
          summary,
          remedy: skip.edit('false'),
        }),
      )
    }
  }
  return findings
}

function own(
  section: Section,
  key: string,
  runtime: Runtime,
): (Pick<Value, 'place' | 'edit'> & { name: string; text: string | undefined }) | undefined {
  const value = lastValue(section, key)
  if (!value) return undefined
  return {
    name: `${section.prefix}.${key}`,
    text: resolve(value.text, runtime).text,
    place: value.place,
    edit: value.edit,
  }
}
