import { type Finding, foldName } from '../../../agent/contract/mod.ts'
import { judgeIgnored } from '../judge-variables.ts'
import { complain } from '../rules.ts'
import type { Runtime } from '../runtime.ts'
import type { Edit, Place } from '../setting.ts'
import { GLOBAL, type OfeliaKey } from './keys.ts'
import { absentSection, lastValue, type OfeliaFile, type Section } from './model.ts'
import { goBoolean, resolve } from './values.ts'

/** A setting of all of Ofelia as it is in force. */
export interface Global {
  key: string
  /** Undefined: it is set to what nobody can tell. */
  text: string | undefined
  /** Nobody sets it: the default of the program holds. */
  isDefault: boolean
  place: Place
  /** Of the finding: the key with its section, or the variable. */
  name: string
  edit: Edit
}

const DEFAULTS: Record<string, string> = {
  'enable-web': 'false',
  'web-address': ':8081',
  'web-auth-enabled': 'false',
  'web-token-expiry': '24',
  'web-max-login-attempts': '5',
  'enable-pprof': 'false',
  'pprof-address': '127.0.0.1:8080',
  'allow-host-jobs-from-labels': 'false',
  'default-user': 'nobody',
  'webhook-allowed-hosts': '*',
  'webhook-allow-remote-presets': 'false',
  'save-mode': '0600',
  'save-folder-mode': '0750',
  'smtp-tls-policy': 'mandatory',
  'smtp-tls-skip-verify': 'false',
}

/** All of `[global]` over all files, with the variables and options that win over it. */
export class Globals {
  readonly section: Section

  constructor(
    private readonly files: readonly OfeliaFile[],
    private readonly runtime: Runtime,
    fallbackPath: string,
  ) {
    const sections = files.flatMap(({ sections }) => sections.filter(({ kind }) => kind === 'global'))
    this.section = sections.at(-1) ?? absentSection('global', files.at(-1)?.path ?? fallbackPath)
  }

  of(key: string): Global {
    const spec = GLOBAL.find((candidate) => candidate.key === key) ?? { key, kind: 'text' }
    const written = this.files
      .flatMap(({ sections }) => sections)
      .filter(({ kind }) => kind === 'global')
      .flatMap((section) => lastValue(section, key) ?? [])
      .at(-1)
    const inFile: Global = {
      key,
      text: written ? resolve(written.text, this.runtime).text : (DEFAULTS[key] ?? ''),
      isDefault: written === undefined,
      place: written?.place ?? this.section.place,
      name: `global.${key}`,
      edit: written?.edit ?? ((value) => this.section.add(key, value)),
    }
    return fromCommand(spec, this.runtime) ?? fromVariable(spec, this.runtime, inFile) ?? inFile
  }

  isOn(key: string): boolean {
    return goBoolean(this.of(key).text ?? '') === true
  }

  /** Variables that say something else than the file, and win. */
  overridden(): Finding[] {
    return GLOBAL.flatMap((spec): Finding[] => {
      const written = this.files
        .flatMap(({ sections }) => sections)
        .flatMap((section) => (section.kind === 'global' ? (lastValue(section, spec.key) ?? []) : []))
      const inFile = written.at(-1)
      const winner = this.of(spec.key)
      if (!inFile || winner.name.startsWith('global.') || spec.secret) return []
      if (winner.text === undefined || winner.text === resolve(inFile.text, this.runtime).text) return []
      const summary = `${winner.name} wins over ${spec.key} of ${inFile.place.path}:${inFile.place.line}, which says something else`
      const remedy = this.runtime.variables.get(winner.name)?.remove
      return [complain('overridden', { key: winner.name, place: winner.place, summary, remedy })]
    })
  }
}

/** Of a variable only another value than the default counts: it cannot switch off what the file switches on. */
function fromVariable(
  { key, variable, kind }: OfeliaKey,
  runtime: Runtime,
  inFile: Global,
): Global | undefined {
  const set = variable === undefined ? undefined : runtime.variables.get(variable)
  if (!set || set.value === '') return undefined
  const isDefault = kind === 'boolean' ? goBoolean(set.value ?? '') === false : set.value === DEFAULTS[key]
  if (isDefault) return undefined
  const { value, place, name, edit } = set
  return { ...inFile, text: value, isDefault: false, place, name, edit }
}

/** `--web-address=…`, `--web-address …`, `--enable-web`. */
function fromCommand({ key, option, kind }: OfeliaKey, { command }: Runtime): Global | undefined {
  if (option === undefined) return undefined
  for (const [index, { text, place }] of command.entries()) {
    const bare = text === `--${option}`
    const joined = text.startsWith(`--${option}=`) ? text.slice(option.length + 3) : undefined
    if (!bare && joined === undefined) continue
    const value = joined ?? (kind === 'boolean' ? 'true' : (command[index + 1]?.text ?? ''))
    const edit: Edit = (wanted) => `Write --${option}=${wanted} at ${place.path}:${place.line}`
    return { key, text: value, isDefault: false, place, name: `--${option}`, edit }
  }
  return undefined
}

/** Which of the variables are Ofelia's, and read by nobody. */
export function judgeVariables(
  runtime: Runtime,
  specs: readonly OfeliaKey[],
  others: readonly string[],
  referred: ReadonlySet<string>,
): Finding[] {
  const known = new Set([...specs.flatMap(({ variable }) => variable ?? []), ...others])
  const findings: Finding[] = []
  for (const { name, place, remove } of runtime.variables.values()) {
    if (!name.startsWith('OFELIA_') || known.has(name) || referred.has(name)) continue
    const isFile = name.endsWith('_FILE') && known.has(name.slice(0, -'_FILE'.length))
    const folded = [...known].find((candidate) => foldName(candidate) === foldName(name))
    const why = isFile
      ? `it reads no secrets from files: set ${name.slice(0, -'_FILE'.length)} itself`
      : folded
        ? `did you mean ${folded}?`
        : 'there is no such setting, and nothing refers to it'
    const summary = `Ofelia does not read ${name}: ${why}`
    findings.push(complain('ineffective-variable', { key: name, place, summary, remedy: remove }))
  }
  findings.push(...judgeIgnored(runtime))
  return findings
}
