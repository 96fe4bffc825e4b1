import { type Blind, describeError, type HostReader, z } from '../../../agent/contract/mod.ts'
import type { ContainerSettings } from '../settings.ts'
import { parseRuntimeConfig, runtimeConfigShape } from './parse-runtime-config.ts'
import type { Image } from './shapes.ts'

// Podman works without a service: what its containers are then stands in its storage alone. It holds the settings
// that the runtime was given, but neither published ports nor labels.

const MAX_FILE_BYTES = 8 * 1024 * 1024
const MAX_CONTAINERS = 2000
/** Directories of the drivers in a storage. */
const DRIVERS = ['overlay', 'vfs', 'btrfs', 'zfs']

const containersShape = z.array(
  z.looseObject({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    names: z.array(z.string()).nullish(),
    image: z.string().nullish(),
    metadata: z.string().nullish(),
  }),
)
const metadataShape = z.looseObject({ 'image-name': z.string().default('') })
const imagesShape = z.array(z.looseObject({ id: z.string(), created: z.string().nullish() }))

export interface StoredContainer {
  settings: ContainerSettings
  image: Image | undefined
}

export interface StorageView {
  label: string
  containers: StoredContainer[]
  blind: Blind[]
}

/** Files that are read of a storage. */
export function storageFiles(directory: string): string[] {
  return [
    `${directory}/*-containers/containers.json`,
    `${directory}/*-containers/*/userdata/config.json`,
    `${directory}/*-images/images.json`,
  ]
}

/** The containers of a storage; undefined where there is none, or none in it. */
export function lookAtStorage(
  host: HostReader,
  directory: string,
  { user, rules }: { user: string | undefined; rules: string[] },
): StorageView | undefined {
  const label = user === undefined ? 'podman' : `podman@${user}`
  const blind: Blind[] = []
  const dark = (subject: string, error: unknown) =>
    blind.push({ subject, reason: describeError(error), rules })
  const containers = DRIVERS.flatMap((driver): StoredContainer[] => {
    const place = `${directory}/${driver}-containers`
    try {
      if (!host.stat(`${place}/containers.json`)) return []
      const listed = read(host, `${place}/containers.json`, containersShape)
      if (listed.length > MAX_CONTAINERS) {
        dark(label, new Error(`it has ${listed.length} containers, ${MAX_CONTAINERS} are looked at`))
      }
      const images = imagesOf(host, `${directory}/${driver}-images/images.json`)
      return listed.slice(0, MAX_CONTAINERS).flatMap(({ id, names, image, metadata }): StoredContainer[] => {
        const name = names?.[0] ?? id.slice(0, 12)
        const subject = `${label}/${name}`
        const path = `${place}/${id}/userdata/config.json`
        try {
          // It is written when the container is started for the first time.
          if (!host.stat(path)) throw new Error('it was never started, and no socket tells of it')
          const config = read(host, path, runtimeConfigShape)
          const { 'image-name': imageName } = metadataShape.parse(JSON.parse(metadata || '{}'))
          const identity = {
            subject,
            name,
            image: imageName,
            isRootless: user !== undefined,
            storage: directory,
          }
          return [{ settings: parseRuntimeConfig(config, identity), image: images.get(image ?? '') }]
        } catch (error) {
          dark(subject, error)
          return []
        }
      })
    } catch (error) {
      dark(label, error)
      return []
    }
  })
  return containers.length === 0 && blind.length === 0 ? undefined : { label, containers, blind }
}

function read<T>(host: HostReader, path: string, shape: z.ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(host.readText(path, { maxBytes: MAX_FILE_BYTES }))
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`"${path}" is no JSON`)
    throw error
  }
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new Error(`"${path}" is not as documented: ${parsed.error.issues[0]?.path.join('.') || 'all of it'}`)
}

function imagesOf(host: HostReader, path: string): Map<string, Image> {
  try {
    return new Map(
      read(host, path, imagesShape).map(({ id, created }) => [
        id,
        { Id: id, RepoDigests: [id], Created: created },
      ]),
    )
  } catch {
    return new Map() // the age of images is then blind, container by container
  }
}
