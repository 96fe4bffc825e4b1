import { z } from '../../../agent/contract/mod.ts'

// What is read of the answers of the Docker Engine API (docs.docker.com/reference/api/engine, 1.40 and newer), which
// Podman answers, too. The engines write null for what is empty.

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? [])
const dictionary = <T extends z.ZodType>(item: T) =>
  z
    .record(z.string(), item)
    .nullish()
    .transform((value) => value ?? {})
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '')
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? 0)
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

export const versionShape = z.looseObject({
  Version: text,
  Components: list(z.looseObject({ Name: text })),
})

export const infoShape = z.looseObject({
  ID: text,
  SecurityOptions: list(z.string()),
  Rootless: flag,
  RegistryConfig: z
    .looseObject({
      InsecureRegistryCIDRs: list(z.string()),
      IndexConfigs: dictionary(z.looseObject({ Name: text, Secure: z.boolean().nullish() }).nullable()),
    })
    .nullish(),
})
export type Info = z.output<typeof infoShape>

export const containerListShape = z.array(
  z.looseObject({
    Id: z.string().regex(/^[0-9a-f]{12,64}$/),
    Names: list(z.string()),
    State: text,
    Labels: dictionary(z.string()),
  }),
)

const binding = z.looseObject({ HostIp: text, HostPort: text })

export const containerShape = z.looseObject({
  Id: z.string(),
  Name: z.string().min(1),
  Image: text,
  Created: text,
  State: z.looseObject({ Status: text, FinishedAt: text }),
  Config: z.looseObject({ Image: z.string(), User: text, Labels: dictionary(z.string()) }),
  HostConfig: z.looseObject({
    Binds: list(z.string()),
    Mounts: list(
      z.looseObject({
        Type: text,
        Source: text,
        Target: text,
        ReadOnly: flag,
        TmpfsOptions: z.looseObject({ SizeBytes: number }).nullish(),
      }),
    ),
    Privileged: z.boolean(),
    CapAdd: list(z.string()),
    CapDrop: list(z.string()),
    SecurityOpt: list(z.string()),
    ReadonlyRootfs: z.boolean(),
    Memory: number,
    NanoCpus: number,
    CpuQuota: number,
    PidsLimit: number,
    NetworkMode: text,
    PidMode: text,
    IpcMode: text,
    UTSMode: text,
    UsernsMode: text,
    CgroupnsMode: text,
    Tmpfs: dictionary(z.string()),
    PortBindings: dictionary(list(binding)),
    Dns: list(z.string()),
  }),
  Mounts: list(z.looseObject({ Type: text, Source: text, Destination: text, RW: flag })),
  NetworkSettings: z.looseObject({ Ports: dictionary(list(binding)) }).nullish(),
})
export type Container = z.output<typeof containerShape>

export const imageShape = z.looseObject({
  Id: z.string(),
  RepoDigests: list(z.string()),
  /** RFC 3339; an image list has seconds. */
  Created: z.union([z.string(), z.number()]).nullish(),
  Metadata: z.looseObject({ LastTagTime: text }).nullish(),
})
export type Image = z.output<typeof imageShape>
