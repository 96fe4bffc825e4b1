import { isGlob, isVariableReference, parseAssignments } from '../../agent/contract/mod.ts'
import type { Files } from './files.ts'
import { type ComposeEntry, type ComposeService, composeServices } from './read/compose.ts'
import { parseUnit, splitWords, type UnitSetting } from './read/unit.ts'
import { parseYaml } from './read/yaml.ts'
import { deleteLine, type Edit, insertAfterLine, type Place, replaceLine, replaceValue } from './setting.ts'

/** A variable of the environment that a program is started with. */
export interface Variable {
  name: string
  /** Undefined: it is set, and nobody can tell from the files to what. */
  value: string | undefined
  place: Place
  /** Written in the unit or the Compose file itself, which more people can read than a file of its own. */
  inline: boolean
  edit: Edit
  /** The command that takes it away. */
  remove: string
}

/** One way in which the program is started on this host. */
export interface Runtime {
  kind: 'unit' | 'container' | 'unknown'
  /** "rstmdb.service", "service db of /srv/compose.yaml"; "by hand" where nothing was found. */
  name: string
  /** Its own file: where a variable would be added. */
  place: Place | undefined
  variables: Map<string, Variable>
  /** Words of the command line, as far as it is written. */
  command: { text: string; place: Place }[]
  container?: ComposeService | undefined
  /** Every variable is known: nothing that sets some could not be read. */
  complete: boolean
  /** Lines of EnvironmentFile= that systemd does not take. */
  ignored: { name: string; place: Place }[]
  /** Of its unit: section [Service], with the files that they stand in. */
  settings: (UnitSetting & { path: string })[]
}

export interface RuntimeSources {
  units: string[]
  unitDirectories: string[]
  /** All services of the Compose files. */
  services: readonly ComposeService[]
  environmentFiles: string[]
  /** People start it, too, with these files in their environment. */
  byHandToo: boolean
  /** Whether a Compose service runs the program. */
  isProgram(service: ComposeService): boolean
  /** Whether a unit does, by its ExecStart; units by exact name always do. */
  runsProgram(execStart: string): boolean
}

const MAX_UNITS = 200

/** Pure but for `files`: how the program is started, and with which variables. */
export function findRuntimes(files: Files, sources: RuntimeSources): Runtime[] {
  const runtimes = [
    ...unitRuntimes(files, sources),
    ...sources.services.filter(sources.isProgram).map((service) => composeRuntime(files, service)),
  ]
  // What a unit or a Compose file does not name, the program does not get.
  const variables = sources.environmentFiles.flatMap((pattern) => files.match(pattern))
  if (sources.byHandToo) {
    // Each user has a file of his own.
    for (const path of variables) runtimes.push(byHand(files, [path], true))
    if (variables.length === 0) runtimes.push(byHand(files, [], true))
  } else if (runtimes.length === 0) runtimes.push(byHand(files, variables, false))
  return runtimes
}

function byHand(files: Files, paths: string[], complete: boolean): Runtime {
  const runtime: Runtime = {
    kind: 'unknown',
    name: 'by hand',
    place: paths[0] === undefined ? undefined : { path: paths[0] },
    variables: new Map(),
    command: [],
    complete,
    ignored: [],
    settings: [],
  }
  for (const path of paths) addFile(files, runtime, path, { optional: true, systemd: false })
  return runtime
}

interface UnitFiles {
  name: string
  fragment: string
  dropIns: string[]
}

function unitRuntimes(files: Files, sources: RuntimeSources): Runtime[] {
  const found = new Map<string, UnitFiles>()
  for (const directory of sources.unitDirectories) {
    for (const pattern of sources.units) {
      for (const path of files.match(`${directory}/${pattern}`)) {
        const name = path.slice(path.lastIndexOf('/') + 1)
        // The first directory wins, as for systemd; each home is for itself.
        const key = isGlob(directory) ? path : name
        if (!found.has(key)) found.set(key, { name, fragment: path, dropIns: [] })
      }
    }
  }
  for (const unit of [...found.values()].slice(0, MAX_UNITS)) {
    const byName = new Map<string, string>()
    const own = unit.fragment.slice(0, unit.fragment.lastIndexOf('/'))
    for (const directory of sources.unitDirectories.toReversed()) {
      for (const path of files.match(`${isGlob(directory) ? own : directory}/${unit.name}.d/*.conf`)) {
        byName.set(path.slice(path.lastIndexOf('/') + 1), path)
      }
    }
    unit.dropIns = [...byName.keys()].toSorted().flatMap((name) => byName.get(name) ?? [])
  }
  return [...found.values()].slice(0, MAX_UNITS).flatMap((unit) => unitRuntime(files, unit, sources) ?? [])
}

/** Of a unit of a user: the home that it lies in. */
function homeOf(fragment: string): string {
  return /^(.*)\/\.config\/systemd\/user\//.exec(fragment)?.[1] ?? '%h'
}

function unitRuntime(files: Files, unit: UnitFiles, sources: RuntimeSources): Runtime | undefined {
  const settings: (UnitSetting & { path: string })[] = []
  let complete = true
  for (const path of [unit.fragment, ...unit.dropIns]) {
    const text = files.text(path)
    if (text === undefined) complete = false
    else for (const setting of parseUnit(text)) settings.push({ ...setting, path })
  }
  const service = settings.filter(({ section }) => section === 'Service')
  const start = service.filter(({ key, value }) => key === 'ExecStart' && value !== '').at(-1)
  if (complete && !sources.units.includes(unit.name) && !sources.runsProgram(start?.value ?? ''))
    return undefined
  const runtime: Runtime = {
    kind: 'unit',
    name: unit.name,
    place: { path: unit.fragment, line: service.find(({ path }) => path === unit.fragment)?.line },
    variables: new Map(),
    command: start
      ? splitWords(start).map(({ text, line }) => ({ text, place: { path: start.path, line } }))
      : [],
    complete,
    ignored: [],
    settings: service,
  }
  let environmentFiles: { path: string; optional: boolean }[] = []
  for (const setting of service) {
    if (setting.key === 'Environment') {
      if (setting.value === '') runtime.variables.clear()
      const words = splitWords(setting)
      for (const { text, line } of words)
        addInline(runtime, text, { path: setting.path, line }, words.length === 1)
    } else if (setting.key === 'EnvironmentFile') {
      if (setting.value === '') environmentFiles = []
      else {
        const path = setting.value.replace(/^-/, '').replaceAll('%h', homeOf(unit.fragment))
        environmentFiles.push({ path, optional: setting.value.startsWith('-') })
      }
    } else if (setting.key === 'PassEnvironment') {
      for (const { text, line } of splitWords(setting)) {
        const place = { path: setting.path, line }
        const edit: Edit = (wanted) => insertAfterLine(place, `Environment=${text}=${wanted}`)
        runtime.variables.set(text, {
          name: text,
          value: undefined,
          place,
          inline: false,
          edit,
          remove: deleteLine(place),
        })
      }
    }
  }
  for (const { path, optional } of environmentFiles)
    addFile(files, runtime, path, { optional, systemd: true })
  for (const setting of service.filter(({ key }) => key === 'UnsetEnvironment')) {
    for (const { text } of splitWords(setting)) runtime.variables.delete(text.split('=')[0] ?? '')
  }
  return runtime
}

function addInline(runtime: Runtime, word: string, place: Place, alone: boolean): void {
  const equals = word.indexOf('=')
  if (equals <= 0) return
  const name = word.slice(0, equals)
  const value = word.slice(equals + 1).replaceAll('%%', '%')
  const edit: Edit = (wanted) => replaceValue(place, `${name}=`, 'word', `${name}=${wanted}`)
  // An empty Environment= would take back all that stand before it.
  const remove = alone ? deleteLine(place) : replaceValue(place, `${name}=`, 'word', '')
  runtime.variables.set(name, { name, value, place, inline: true, edit, remove })
}

function addFile(
  files: Files,
  runtime: Runtime,
  path: string,
  { optional, systemd }: { optional: boolean; systemd: boolean },
): void {
  if (!files.exists(path)) {
    if (!optional) {
      files.dark(path, `${runtime.name} reads its environment from it, and it is not there`)
      runtime.complete = false
    }
    return
  }
  const text = files.text(path)
  if (text === undefined) {
    runtime.complete = false
    return
  }
  for (const { name, value, line, exported } of parseAssignments(text).assignments.values()) {
    const place = { path, line }
    if (exported && systemd) {
      runtime.ignored.push({ name, place })
      continue
    }
    const edit: Edit = (wanted) => replaceLine(place, `${name}=${wanted}`)
    runtime.variables.set(name, { name, value, place, inline: false, edit, remove: deleteLine(place) })
  }
}

/** All services of these Compose files; what cannot be read is told. */
export function readCompose(files: Files, patterns: readonly string[]): ComposeService[] {
  return patterns
    .flatMap((pattern) => files.match(pattern))
    .flatMap((path) => {
      const text = files.text(path)
      if (text === undefined) return []
      try {
        return composeServices(path, parseYaml(text))
      } catch (error) {
        files.refuse(path, error)
        return []
      }
    })
}

function composeRuntime(files: Files, service: ComposeService): Runtime {
  const { path } = service
  const directory = path.slice(0, Math.max(1, path.lastIndexOf('/')))
  const runtime: Runtime = {
    kind: 'container',
    name: `service ${service.name} of ${path}`,
    place: { path, line: service.line },
    variables: new Map(),
    command: service.command.map(({ text, line }) => ({ text, place: { path, line } })),
    container: service,
    complete: true,
    ignored: [],
    settings: [],
  }
  const absolute = (name: string) =>
    name.startsWith('/') ? name : `${directory}/${name.replace(/^\.\//, '')}`
  for (const file of service.environmentFiles) {
    addFile(files, runtime, absolute(file.path), { optional: !file.required, systemd: false })
  }
  for (const { name, value, line, style } of service.environment) {
    const place = { path, line }
    const edit = editEntry(place, { name, style })
    const remove = deleteLine(place)
    runtime.variables.set(name, {
      name,
      value: plainValue(value),
      place,
      inline: value !== undefined,
      edit,
      remove,
    })
  }
  return runtime
}

/** An entry of a Compose file, given another value. */
export function editEntry(place: Place, { name, style }: Pick<ComposeEntry, 'name' | 'style'>): Edit {
  return (wanted) => {
    if (style === 'list') return replaceValue(place, `${name}=`, 'word', `${name}=${wanted}`)
    return replaceValue(place, `${name}:`, style === 'flow' ? 'flow' : 'line', `${name}: "${wanted}"`)
  }
}

/** Compose replaces `${NAME}` from what it is started with; `$$` is a dollar sign. */
function plainValue(value: string | undefined): string | undefined {
  if (value === undefined || isVariableReference(value)) return undefined
  return /\$(?!\$)/.test(value.replaceAll('$$', '')) ? undefined : value.replaceAll('$$', '$')
}

/** Where a variable that is missing would be written, as a command. */
export function addVariable({ kind, place }: Runtime, name: string, value: string): string | undefined {
  if (!place || kind === 'unknown') return undefined
  if (kind === 'unit') return insertAfterLine(place, `Environment=${name}=${value}`)
  return undefined
}
