import type { Finding } from '../../../agent/contract/mod.ts'
import { judgeIgnored } from '../judge-variables.ts'
import { splitAddress } from '../reach.ts'
import { leavesOf, type YamlNode } from '../read/yaml.ts'
import { complain } from '../rules.ts'
import { addVariable, type Runtime, type Variable } from '../runtime.ts'
import type { KeySpec } from '../schema.ts'
import { deleteLine, type InForce } from '../setting.ts'
import { meant, type YamlConfig } from '../yaml-config.ts'
import { DEAD_KEYS, DEAD_VARIABLES, KEYS, OTHER_VARIABLES } from './keys.ts'

/** What rstmdb would work with: by key. */
export class Settings {
  constructor(private readonly byKey: ReadonlyMap<string, InForce>) {}

  of(key: string): InForce {
    return this.byKey.get(key) ?? { key, value: undefined, place: undefined, edit: () => '' }
  }

  isOn(key: string): boolean {
    return this.of(key).value === true
  }

  text(key: string): string | undefined {
    const { value } = this.of(key)
    return typeof value === 'string' ? value : undefined
  }
}

/** Pure: the settings in force, and what is wrong with how they are written. */
export function readSettings(
  config: YamlConfig | undefined,
  runtime: Runtime,
): { settings: Settings; findings: Finding[] } {
  const byKey = new Map<string, InForce>()
  const findings: Finding[] = config ? [...judgeKeys(config), ...judgeKinds(config)] : []
  for (const spec of KEYS) {
    const node = config?.at(spec.key)
    const value = node ? readNode(node, spec) : undefined
    const edit = config ? config.edit(spec.key) : variableEdit(runtime, spec)
    const inForce: InForce = {
      key: spec.key,
      value: value ?? spec.byDefault,
      place: value === undefined ? undefined : config?.place(spec.key),
      near: config?.place(spec.key),
      edit,
    }
    const variable = spec.variable === undefined ? undefined : runtime.variables.get(spec.variable)
    byKey.set(spec.key, variable ? override(spec, inForce, variable, findings) : inForce)
  }
  findings.push(...judgeVariables(runtime))
  return { settings: new Settings(byKey), findings }
}

function variableEdit(runtime: Runtime, { variable, key }: KeySpec): InForce['edit'] {
  return (value) =>
    (variable && addVariable(runtime, variable, value)) ??
    `Start it with ${variable ?? key}=${value} in its environment`
}

/** Keys that the program does not know, in the order in which they stand; a section that it does not know once. */
function judgeKeys({ path, file }: YamlConfig): Finding[] {
  const known = KEYS.map(({ key }) => key)
  const sections = new Set(known.map((key) => key.split('.')[0] ?? ''))
  const findings: Finding[] = []
  const tell = (key: string, node: YamlNode) => {
    const place = { path, line: node.line }
    const dead = DEAD_KEYS.find((it) => key === it.key || key.startsWith(`${it.key}.`))
    if (dead) {
      const summary = `${key} does nothing in rstmdb: ${dead.instead}`
      findings.push(complain('ineffective-key', { key, place, summary, remedy: deleteLine(place) }))
      return
    }
    const instead = meant(key, known)
    const summary = `rstmdb does not know ${key}${instead ? `, did you mean ${instead}?` : ''}: it is passed over`
    const remedy =
      node.kind === 'scalar' ? deleteLine(place) : `Take ${key} out of ${path}, from line ${node.line}`
    findings.push(complain('unknown-key', { key, place, summary, remedy }))
  }
  for (const [name, section] of file.root.entries) {
    const isDead = DEAD_KEYS.some(({ key }) => key === name)
    if (!sections.has(name)) {
      if (isDead && section.entries.size > 0) {
        for (const { path: keys, node } of leavesOf(section, [name])) tell(keys.join('.'), node)
      } else tell(name, section)
      continue
    }
    for (const [key, node] of section.entries)
      if (!known.includes(`${name}.${key}`)) tell(`${name}.${key}`, node)
  }
  for (const { key, line, first } of file.duplicates) {
    const place = { path, line }
    const summary = `${key} stands twice in one section, first in line ${first}: rstmdb refuses such a file`
    findings.push(complain('duplicate-key', { key, place, summary, remedy: deleteLine(place) }))
  }
  return findings
}

/** Values that the program cannot read: it ends at its next start. */
function judgeKinds(config: YamlConfig): Finding[] {
  const { root } = config.file
  const { path } = config
  if (root.kind === 'scalar' && root.value === null) return []
  if (root.kind !== 'map') {
    const summary = 'rstmdb wants a map of sections at the top'
    return [complain('would-not-start', { key: '', place: { path, line: root.line }, summary })]
  }
  const findings: Finding[] = []
  for (const section of new Set(KEYS.map(({ key }) => key.split('.')[0] ?? ''))) {
    const node = root.entries.get(section)
    if (!node || node.kind === 'map') continue
    const summary = `${section} is no map of settings: rstmdb would not start`
    findings.push(complain('would-not-start', { key: section, place: { path, line: node.line }, summary }))
  }
  for (const spec of KEYS) {
    const node = config.at(spec.key)
    const wanted = node && misfit(node, spec)
    if (!node || wanted === undefined) continue
    const summary = `${spec.key} is not ${wanted}: rstmdb would not start`
    const place = { path, line: node.line }
    const remedy =
      spec.byDefault === undefined ? deleteLine(place) : config.edit(spec.key)(String(spec.byDefault))
    findings.push(complain('wrong-value', { key: spec.key, place, summary, remedy }))
  }
  return findings
}

/** What is wanted instead of a value; undefined where it fits. */
function misfit(
  node: YamlNode,
  { kind, min = 0, max = Number.MAX_SAFE_INTEGER, choices = [] }: KeySpec,
): string | undefined {
  const { value } = node
  switch (kind) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false'
    case 'integer':
      return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
        ? undefined
        : 'a whole number'
    case 'address':
      return typeof value === 'string' && isSocketAddress(value)
        ? undefined
        : 'an address with a port, such as 127.0.0.1:7401'
    case 'choice':
      return typeof value === 'string' && choices.includes(value) ? undefined : choices.join(', ')
    case 'texts':
      return node.kind === 'list' && node.items.every((item) => typeof item.value === 'string')
        ? undefined
        : 'a list of texts'
    case 'fsync':
      return isFsyncPolicy(node) ? undefined : 'every_write, every_n, every_ms or never'
    default:
      return node.kind === 'scalar' && (value === null || typeof value === 'string') ? undefined : 'a text'
  }
}

function isFsyncPolicy(node: YamlNode): boolean {
  if (node.tag !== undefined) return /^!every_(n|ms)$/.test(node.tag)
  if (node.kind === 'scalar') return node.value === 'every_write' || node.value === 'never'
  const [[name, child] = []] = [...node.entries]
  return (
    node.entries.size === 1 && (name === 'every_n' || name === 'every_ms') && Number.isInteger(child?.value)
  )
}

/** Rust takes addresses only: no names. */
function isSocketAddress(text: string): boolean {
  const host = splitAddress(text)?.host
  return host !== undefined && (text.startsWith('[') ? host.includes(':') : /^\d+(\.\d+){3}$/.test(host))
}

function readNode(node: YamlNode, spec: KeySpec): unknown {
  if (misfit(node, spec) !== undefined) return undefined
  if (spec.kind === 'texts') return node.items.map(({ value }) => value)
  if (spec.kind === 'fsync')
    return node.tag ?? (node.kind === 'map' ? [...node.entries.keys()][0] : node.value)
  return node.value ?? undefined
}

/** The variable over the file, as the program reads it: what it cannot read it passes over. */
function override(spec: KeySpec, inFile: InForce, variable: Variable, findings: Finding[]): InForce {
  const { name, value, place, edit, remove } = variable
  if (value === undefined) return { ...inFile, value: undefined, place, variable: name, edit }
  const read = readVariable(spec, value)
  if (read === undefined) {
    const summary = `rstmdb passes over ${name}: its value is not of the kind of ${spec.key}`
    findings.push(complain('ineffective-variable', { key: name, place, summary, remedy: remove }))
    return inFile
  }
  if (spec.kind === 'boolean' && !/^(1|true|0|false)$/i.test(value)) {
    const summary = `${name} is neither 1 nor true, so that it means false to rstmdb`
    findings.push(complain('wrong-value', { key: name, place, summary, remedy: edit('true') }))
  }
  if (inFile.place && JSON.stringify(inFile.value) !== JSON.stringify(read)) {
    const summary = `${name} wins over ${spec.key} of ${inFile.place.path}:${inFile.place.line}, which says something else`
    findings.push(complain('overridden', { key: name, place, summary, remedy: remove }))
  }
  return { key: spec.key, value: read, place, variable: name, edit }
}

function readVariable({ kind, choices = [] }: KeySpec, text: string): unknown {
  switch (kind) {
    case 'boolean':
      return text === '1' || text.toLowerCase() === 'true'
    case 'integer':
      return /^\+?\d+$/.test(text) ? Number(text) : undefined
    case 'address':
      return isSocketAddress(text) ? text : undefined
    case 'choice':
      return choices.includes(text.toLowerCase()) ? text.toLowerCase() : undefined
    case 'fsync':
      // What it does not know is the safest to it.
      return /^(never|every_n:|every_ms:)/i.exec(text)?.[0].toLowerCase() ?? 'every_write'
    default:
      return text
  }
}

function judgeVariables(runtime: Runtime): Finding[] {
  const known = new Set([...KEYS.flatMap(({ variable }) => variable ?? []), ...OTHER_VARIABLES])
  const findings: Finding[] = []
  for (const { name, place, remove } of runtime.variables.values()) {
    if (!name.startsWith('RSTMDB_') || known.has(name)) continue
    const dead = DEAD_VARIABLES.find(({ key }) => key === name)
    const near = meant(name, [...known])
    const why = dead ? dead.instead : near ? `did you mean ${near}?` : 'there is no such setting'
    const summary = `rstmdb does not read ${name}: ${why}`
    findings.push(complain('ineffective-variable', { key: name, place, summary, remedy: remove }))
  }
  findings.push(...judgeIgnored(runtime))
  return findings
}
