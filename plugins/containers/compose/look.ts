import { type Blind, describeError, type HostReader } from '../../../agent/contract/mod.ts'
import type { ContainerSettings } from '../settings.ts'
import { parseEnvironment } from './interpolate.ts'
import { type ComposeFile, parseCompose, type Value } from './parse-compose.ts'
import { type Layer, parseService, resolveFrom } from './parse-service.ts'

const MAX_FILE_BYTES = 1024 * 1024
const MAX_FILES = 1000

export interface ComposeView {
  services: ContainerSettings[]
  files: number
  blind: Blind[]
}

/** The services of all compose files that match. */
export function lookAtCompose(host: HostReader, patterns: string[], rules: string[]): ComposeView {
  const blind: Blind[] = []
  const dark = (subject: string, reason: string) => blind.push({ subject, reason, rules })
  const found = patterns.flatMap((pattern) => host.glob(pattern, dark))
  const paths = [
    ...new Set(found.filter(({ type }) => type !== 'directory').map(({ path }) => path)),
  ].toSorted()
  for (const path of paths.splice(MAX_FILES)) dark(path, `more than ${MAX_FILES} compose files match`)
  const files = new Map(
    paths.flatMap((path) => {
      try {
        return [[path, readFile(host, path)] as const]
      } catch (error) {
        dark(path, describeError(error))
        return []
      }
    }),
  )
  const services = [...files.values()].flatMap((file) => servicesOf(file, files, dark))
  return { services, files: paths.length, blind }
}

function readFile(host: HostReader, path: string): ComposeFile {
  const text = host.readText(path, { maxBytes: MAX_FILE_BYTES })
  return parseCompose(path, text, environmentBeside(host, path))
}

/** Compose reads variables from the file `.env` of the project. Without it, what has no default is not known. */
function environmentBeside(host: HostReader, path: string): Map<string, string> {
  try {
    return parseEnvironment(host.readText(`${directoryOf(path)}/.env`, { maxBytes: MAX_FILE_BYTES }))
  } catch {
    return new Map()
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

const OVERRIDE = /\.override(\.ya?ml)$/

function servicesOf(
  file: ComposeFile,
  files: ReadonlyMap<string, ComposeFile>,
  dark: (subject: string, reason: string) => void,
): ContainerSettings[] {
  // It is laid over the file beside it, and judged there.
  if (OVERRIDE.test(file.path) && baseOf(file.path, files)) return []
  const override = overrideOf(file.path, files)
  const names = new Set(
    [file, ...(override ? [override] : [])].flatMap(({ services }) => services.map(({ name }) => name)),
  )
  return [...names].flatMap((name) => {
    try {
      return [parseService(file.path, name, layersOf(name, file, files, 0))]
    } catch (error) {
      dark(`${file.path}:${name}`, describeError(error))
      return []
    }
  })
}

const MAX_EXTENDED = 8

/** A service as it stands in a file and the one laid over it, behind what it extends. */
function layersOf(
  name: string,
  file: ComposeFile,
  files: ReadonlyMap<string, ComposeFile>,
  depth: number,
): Layer[] {
  const directory = directoryOf(file.path)
  const override = overrideOf(file.path, files)
  return [file, ...(override ? [override] : [])].flatMap(({ path, services }) => {
    const service = services.find((one) => one.name === name)
    if (!service) return []
    const layer = { path, directory, service }
    const base = service.settings.get('extends')?.value
    if (base === undefined) return [layer]
    if (depth >= MAX_EXTENDED) throw new Error('what it extends has no end')
    const { file: other, service: extended } = extendedBy(base)
    const place = other === undefined ? path : resolveFrom(directory, other)
    const source = files.get(place)
    if (!source?.services.some((one) => one.name === extended)) {
      throw new Error(`it extends "${extended}" of ${place}, which is not among the files that are read`)
    }
    return [...layersOf(extended, source, files, depth + 1), layer]
  })
}

function extendedBy(value: Value): { file: string | undefined; service: string } {
  const text = (key: string) => {
    const inner = value.kind === 'map' ? value.entries.get(key)?.value : undefined
    return inner?.kind === 'text' ? inner.text : undefined
  }
  return value.kind === 'text'
    ? { file: undefined, service: value.text }
    : { file: text('file'), service: text('service') ?? '' }
}

function overrideOf(path: string, files: ReadonlyMap<string, ComposeFile>): ComposeFile | undefined {
  const stem = path.replace(/\.ya?ml$/, '')
  return files.get(`${stem}.override.yml`) ?? files.get(`${stem}.override.yaml`)
}

function baseOf(path: string, files: ReadonlyMap<string, ComposeFile>): ComposeFile | undefined {
  const stem = path.replace(OVERRIDE, '')
  return files.get(`${stem}.yml`) ?? files.get(`${stem}.yaml`)
}
