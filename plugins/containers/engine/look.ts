import {
  type Blind,
  describeError,
  type Entry,
  errnoOf,
  type HostReader,
} from '../../../agent/contract/mod.ts'
import type { ContainerSettings } from '../settings.ts'
import { Engine, each, NotFoundError } from './ask.ts'
import { type EngineTraits, parseContainer, traitsOf } from './parse-container.ts'
import {
  type Container,
  containerListShape,
  containerShape,
  type Image,
  type Info,
  imageShape,
  infoShape,
  versionShape,
} from './shapes.ts'

const MAX_CONTAINERS = 2000
const ASKED_AT_ONCE = 8

/** A socket that is there. */
export interface EngineSocket {
  path: string
  /** Of the socket itself, behind a link of root. */
  entry: Omit<Entry, 'path'>
  /** Name of the user whose own engine it is; undefined for one of root. */
  user: string | undefined
}

export interface SeenContainer {
  settings: ContainerSettings
  container: Container
  image: Image | undefined
}

export interface EngineView {
  socket: EngineSocket
  traits: EngineTraits
  info: Info
  containers: SeenContainer[]
}

/** The sockets of engines on this host. A link of anybody but root is not followed: it could lead anywhere. */
export function findSockets(
  host: HostReader,
  patterns: string[],
  dark: (subject: string, reason: string) => void,
): EngineSocket[] {
  const sockets: EngineSocket[] = []
  const known = new Set<string>()
  for (const { path, type, uid, ...rest } of patterns.flatMap((pattern) => host.glob(pattern, dark))) {
    const entry = type === 'symlink' && uid === 0 ? host.statTarget(path) : { type, uid, ...rest }
    if (!entry) continue
    const key = `${entry.dev}:${entry.ino}`
    if (known.has(key)) continue
    known.add(key)
    const owner = /^\/run\/user\/(\d+)\//.exec(path)?.[1]
    sockets.push({ path, entry, user: owner && owner !== '0' ? host.userName(Number(owner)) : undefined })
  }
  return sockets
}

export interface EngineLook {
  view: EngineView | undefined
  /** The socket is there, and this process may not open it. */
  isDenied: boolean
  blind: Blind[]
}

/** All that one engine says. What it does not say is blind, under the name of the engine. */
export async function lookAtEngine(
  host: HostReader,
  socket: EngineSocket,
  label: string,
  { rules, timeoutMs, signal }: { rules: string[]; timeoutMs: number; signal: AbortSignal },
): Promise<EngineLook> {
  const dark = (subject: string, error: unknown): Blind => ({ subject, reason: describeError(error), rules })
  const engine = new Engine(host, socket.path, timeoutMs, signal)
  try {
    if (socket.entry.type !== 'socket')
      throw new Error(`"${socket.path}" is a ${socket.entry.type}, not a socket`)
    const version = await engine.item('/version', versionShape)
    const program = version.Components.some(({ Name }) => /podman/i.test(Name)) ? 'podman' : 'docker'
    const info = await engine.item('/info', infoShape)
    const traits = traitsOf(label, program, info)
    const list = await engine.get('/containers/json?all=1', containerListShape)
    const blind: Blind[] = []
    if (list.length > MAX_CONTAINERS) {
      blind.push(
        dark(traits.label, new Error(`it has ${list.length} containers, ${MAX_CONTAINERS} are looked at`)),
      )
    }
    const images = new Map<string, Promise<Image | undefined>>()
    const imageOf = (id: string): Promise<Image | undefined> => {
      const asked = images.get(id) ?? engine.item(`/images/${id}/json`, imageShape).catch(() => undefined)
      images.set(id, asked)
      return asked
    }
    const seen = await each(list.slice(0, MAX_CONTAINERS), ASKED_AT_ONCE, async ({ Id }) => {
      const container = await engine.item(`/containers/${Id}/json`, containerShape)
      const image = !/^[\w:.-]+$/.test(container.Image) ? undefined : await imageOf(container.Image)
      return { container, image, settings: parseContainer(container, traits, image) }
    })
    const containers = seen.flatMap((one, index): SeenContainer[] => {
      if (!(one instanceof Error)) return [one]
      const { Names, Id } = list[index] ?? { Names: [], Id: '' }
      // It has ended and was removed meanwhile.
      if (!(one instanceof NotFoundError)) {
        blind.push(dark(`${traits.label}/${Names[0]?.replace(/^\//, '') || Id.slice(0, 12)}`, one))
      }
      return []
    })
    return { view: { socket, traits, info, containers }, isDenied: false, blind }
  } catch (error) {
    signal.throwIfAborted()
    if (errnoOf(error) !== 'EACCES') return { view: undefined, isDenied: false, blind: [dark(label, error)] }
    const reason = `${describeError(error)}: its owner and its group may, or \`otherUsers\``
    return { view: undefined, isDenied: true, blind: [{ subject: label, reason, rules }] }
  }
}

/** Of the path alone, so that it is the same while the engine does not answer: "docker", "podman@deploy". Pure. */
export function labelsOf(sockets: EngineSocket[]): string[] {
  const labels = sockets.map(({ path, user }) => {
    const program = path.includes('podman') ? 'podman' : 'docker'
    return user === undefined ? program : `${program}@${user}`
  })
  return labels.map((label, index) =>
    labels.indexOf(label) === index ? label : `${label}(${sockets[index]?.path})`,
  )
}
