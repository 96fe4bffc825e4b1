import { type Finding, nearest } from '../../../agent/contract/mod.ts'
import type { YamlNode } from '../read/yaml.ts'
import { complain } from '../rules.ts'
import type { KeySpec } from '../schema.ts'
import { isPlaceholder, isReference, secretLeaves } from '../secrets.ts'
import { deleteLine, replaceOnLine } from '../setting.ts'
import type { YamlConfig } from '../yaml-config.ts'
import { KEYS } from './keys.ts'

/** Pure: how the file is written: misspellings, kinds of values, secrets in it. */
export function judgeKeys(config: YamlConfig): Finding[] {
  const { path, file } = config
  const findings: Finding[] = []
  if (file.root.kind !== 'map' && file.root.value !== null) {
    const summary = 'MAESTRO wants a map of sections at the top'
    return [complain('would-not-start', { key: '', place: { path, line: file.root.line }, summary })]
  }
  for (const { key, line, first } of file.duplicates) {
    const place = { path, line }
    const summary = `${key} stands twice in one section, first in line ${first}`
    findings.push(complain('duplicate-key', { key, place, summary, remedy: deleteLine(place) }))
  }
  return [...findings, ...misspelt(config, file.root, []), ...judgeKinds(config), ...judgeSecrets(config)]
}

/** Keys that are no key of the documents, but nearly one that is missing beside them. */
function misspelt(config: YamlConfig, node: YamlNode, path: string[]): Finding[] {
  const prefix = path.length > 0 ? `${path.join('.')}.` : ''
  const known = new Set(
    KEYS.filter(({ key }) => key.startsWith(prefix)).map(
      ({ key }) => key.slice(prefix.length).split('.')[0] ?? '',
    ),
  )
  if (known.size === 0) return []
  return [...node.entries].flatMap(([name, child]): Finding[] => {
    if (known.has(name)) return child.kind === 'map' ? misspelt(config, child, [...path, name]) : []
    const missing = [...known].filter((candidate) => !node.entries.has(candidate))
    const near = nearest(name, missing)
    if (near === undefined) return []
    const place = { path: config.path, line: child.line }
    const summary = `The documents of MAESTRO have ${prefix}${near}, and not ${prefix}${name}: is it misspelt?`
    return [
      complain('unknown-key', {
        key: prefix + name,
        place,
        summary,
        remedy: replaceOnLine(place, `${name}:`, `${near}:`),
      }),
    ]
  })
}

function judgeKinds(config: YamlConfig): Finding[] {
  return KEYS.flatMap((spec): Finding[] => {
    const node = config.at(spec.key)
    const wanted = node && misfit(node, spec)
    if (!node || wanted === undefined) return []
    const place = { path: config.path, line: node.line }
    const summary = `${spec.key} is not ${wanted}`
    return [
      complain('wrong-value', {
        key: spec.key,
        place,
        summary,
        remedy: `Write ${wanted} at ${config.path}:${node.line}`,
      }),
    ]
  })
}

function misfit(node: YamlNode, { key, kind, min = 0, max = 0, choices = [] }: KeySpec): string | undefined {
  const { value } = node
  // A reference may become anything.
  if (typeof value === 'string' && isReference(value)) return undefined
  switch (kind) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false'
    case 'integer':
      return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
        ? undefined
        : min === max
          ? String(min)
          : `a whole number from ${min} to ${max}`
    case 'choice':
      // "off" is false to readers of YAML 1.1.
      if (key === 'safety.bash_sandbox' && value === false) return undefined
      return typeof value === 'string' && choices.includes(value) ? undefined : `one of ${choices.join(', ')}`
    case 'texts':
      return node.kind === 'list' && node.items.every((item) => typeof item.value === 'string')
        ? undefined
        : 'a list of texts'
    case 'maps':
      return node.kind === 'list' && node.items.every((item) => item.kind === 'map')
        ? undefined
        : 'a list of maps'
    case 'text':
      return node.kind === 'scalar' && (typeof value === 'string' || value === null) ? undefined : 'a text'
    default:
      return undefined
  }
}

function judgeSecrets(config: YamlConfig): Finding[] {
  return [...secretLeaves(config)].flatMap(({ key, name, node, text }): Finding[] => {
    if (isReference(text)) return []
    const place = { path: config.path, line: node.line }
    if (isPlaceholder(text)) {
      const summary = `${key} is a placeholder`
      return [complain('placeholder-secret', { key, place, summary, remedy: 'openssl rand -hex 32' })]
    }
    const isSession = key === 'auth.session_secret'
    const remedy = isSession
      ? `${deleteLine(place)}\nIt then keeps one of its own in data/secrets/session-secret.key`
      : `${config.edit(key)(`env:MAESTRO_${name.toUpperCase()}`)}\nSet MAESTRO_${name.toUpperCase()} in a file of mode 0600 that the unit reads by EnvironmentFile=`
    // The program's own documents let the keys of models stand in its configuration, of mode 0600.
    const severity = name === 'api_key' ? ('warning' as const) : undefined
    const summary = `${key} stands in the configuration`
    const weak: Finding[] =
      isSession && Buffer.byteLength(text) < 32
        ? [
            complain('weak-secret', {
              key,
              place,
              summary: `${key} has ${Buffer.byteLength(text)} bytes, wanted at least 32`,
              remedy,
            }),
          ]
        : []
    return [
      complain('secret-in-configuration', { key, place, summary, remedy, ...(severity ? { severity } : {}) }),
      ...weak,
    ]
  })
}
