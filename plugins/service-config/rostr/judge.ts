import { type Finding, foldName } from '../../../agent/contract/mod.ts'
import { judgeIgnored } from '../judge-variables.ts'
import { reachOfHost } from '../reach.ts'
import { leavesOf } from '../read/yaml.ts'
import { complain } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import { isReference, judgeVariable, secretLeaves } from '../secrets.ts'
import { insertAfterLine, replaceOnLine } from '../setting.ts'
import type { YamlConfig } from '../yaml-config.ts'

// Of the settings of rostr only these are known: which keys it refuses, and its variables. So nothing here is called
// unknown.

/** Keys that rostr refuses with any value, as its documents name them. */
const REFUSED = /(?:^|_)(?:db_pass|password|token|secret|api_key)$/i

export const TOKEN = 'ROSTR_REGISTRATION_TOKEN'
export const DATABASE_PASSWORD = 'ROSTR_UPTIMEKUMA_DB_PASS'
export const GROUPS = 'ROSTR_ALLOWED_GROUPS'
const MIN_LENGTH = 32

/** Pure: secrets in the configuration, for which rostr would not start again. */
export function judgeConfiguration(config: YamlConfig): Finding[] {
  const findings: Finding[] = []
  for (const { key, name, node, text } of secretLeaves(config)) {
    const place = { path: config.path, line: node.line }
    const variable = foldName(key).includes('uptimekuma')
      ? DATABASE_PASSWORD
      : foldName(key).includes('token')
        ? TOKEN
        : `ROSTR_${name.toUpperCase()}`
    const remedy = `${config.edit(key)('""')}\nPut it into ~/.config/rostr/env (mode 0600) as ${variable}=…, and make a new one: this one lay open`
    if (!isReference(text)) {
      findings.push(
        complain('secret-in-configuration', {
          key,
          place,
          summary: `${key} stands in the configuration`,
          remedy,
        }),
      )
    }
    if (REFUSED.test(name)) {
      const summary = `rostr refuses a value of ${name} in its configuration: it would not start again`
      findings.push(complain('would-not-start', { key, place, summary, remedy }))
    }
  }
  for (const { key, line, first } of config.file.duplicates) {
    const summary = `${key} stands twice in one section, first in line ${first}`
    findings.push(
      complain('duplicate-key', {
        key,
        place: { path: config.path, line },
        summary,
        remedy: `sed -i ${line}d ${config.path}`,
      }),
    )
  }
  for (const { path, node } of leavesOf(config.file.root)) {
    const host =
      typeof node.value === 'string'
        ? /^http:\/\/(?:[^/@]*@)?(\[[^\]]+\]|[^/:]+)/i.exec(node.value)?.[1]
        : undefined
    if (
      host === undefined ||
      !path.some((part) => /webhook/i.test(part)) ||
      reachOfHost(host.replace(/^\[|\]$/g, '')) === 'this host'
    )
      continue
    const key = path.join('.')
    const summary = 'The webhook is sent without encryption'
    const remedy = replaceOnLine({ path: config.path, line: node.line }, 'http:', 'https:')
    findings.push(
      complain('unencrypted-webhook', {
        key,
        place: { path: config.path, line: node.line },
        summary,
        remedy,
      }),
    )
  }
  return findings
}

/** Whether the configuration speaks of Uptime Kuma, and does not switch it off. */
export function usesUptimeKuma(config: YamlConfig): boolean {
  return [...config.file.root.entries].some(
    ([name, node]) =>
      foldName(name).includes('uptimekuma') &&
      node.value !== false &&
      node.entries.get('enabled')?.value !== false,
  )
}

/** Pure: the variables of the registration API (a unit), or of rostr by hand. */
export function judgeEnvironment(runtime: Runtime, { usesKuma }: { usesKuma: boolean }): Finding[] {
  const findings: Finding[] = []
  const place = runtime.place
  const isApi = runtime.kind === 'unit'
  const required = [...(isApi ? [TOKEN] : []), ...(usesKuma && !isApi ? [DATABASE_PASSWORD] : [])]
  for (const name of [TOKEN, DATABASE_PASSWORD]) {
    const variable = runtime.variables.get(name)
    if (variable && variable.value !== '') findings.push(...judgeVariable(variable, MIN_LENGTH))
    else if (required.includes(name) && (runtime.complete || variable)) {
      const where = variable?.place ?? place ?? { path: '~/.config/rostr/env' }
      const summary = `${name} is not set for ${runtime.name === 'by hand' ? 'rostr' : runtime.name}`
      const remedy = `printf '%s=%s\\n' ${name} "$(openssl rand -hex 32)" >> ~/.config/rostr/env && chmod 600 ~/.config/rostr/env${isApi && place ? `\n${insertAfterLine(place, 'EnvironmentFile=%h/.config/rostr/env')}\nsystemctl --user daemon-reload && systemctl --user restart ${runtime.name}` : ''}`
      findings.push(complain('missing-secret', { key: name, place: where, summary, remedy }))
    }
  }
  if (isApi) findings.push(...judgeGroups(runtime))
  findings.push(...judgeIgnored(runtime))
  return findings
}

function judgeGroups(runtime: Runtime): Finding[] {
  const groups = runtime.variables.get(GROUPS)
  if (!groups && !runtime.complete) return []
  if (groups && groups.value === undefined) return []
  const names = (groups?.value ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (names.length > 0 && !names.some((name) => name.includes('*'))) return []
  const place = groups?.place ?? runtime.place ?? { path: '~/.config/rostr/env' }
  const summary =
    names.length > 0
      ? `${GROUPS} holds a pattern: a server may register itself in any group`
      : `${GROUPS} is not set: a server may register itself in any group`
  const remedy = `${groups ? groups.edit('production,staging') : `printf '%s\\n' ${GROUPS}=production,staging >> ~/.config/rostr/env`}\nsystemctl --user restart ${runtime.name}`
  return [complain('open-groups', { key: GROUPS, place, summary, remedy })]
}
