import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CommandArgs, OwnToken, Report, z } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/credential-age/config.ts'
import plugin from '../../../plugins/credential-age/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'
import { fakeProcesses, NOW } from './material.ts'

type Config = z.input<typeof configSchema>

interface Look {
  now?: Date
  memory?: Report['memory']
  secrets?: Record<string, string>
  ownTokens?: OwnToken[]
}

/** A directory that stands for "/" with files in it, and the plugin looking at it. */
export function hostWith(credentials: Config['credentials'], more: Partial<Config> = {}) {
  const directory = temporaryDirectory('reeve-credentials')
  const path = (name: string) => join(directory.path, name)
  fakeProcesses(directory.path, [])
  const write = (name: string, content: string | Uint8Array, at = NOW, mode = 0o600) => {
    mkdirSync(dirname(path(name)), { recursive: true })
    writeFileSync(path(name), content)
    chmodSync(path(name), mode)
    utimesSync(path(name), at, at)
    return path(name)
  }
  const underTest = ({ now = NOW, memory, secrets, ownTokens }: Look) =>
    pluginUnderTest(
      plugin,
      { ...more, credentials },
      {
        root: directory.path,
        stateDir: '/state',
        now,
        ...(memory === undefined ? {} : { memory }),
        ...(secrets ? { secrets } : {}),
        ...(ownTokens ? { ownTokens } : {}),
      },
    )
  return {
    root: directory.path,
    path,
    write,
    processes: (list: Parameters<typeof fakeProcesses>[1]) => fakeProcesses(directory.path, list),
    check: (options: Look = {}) => underTest(options).check(),
    command: (verb: string, args: Partial<CommandArgs>, options: Look = {}) =>
      underTest(options).command(verb, args),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

export const rulesOf = (report: Report) => report.findings.map(({ rule, subject }) => `${rule} ${subject}`)
export const blindOf = (report: Report) => report.blind?.map(({ subject, reason }) => `${subject}: ${reason}`)
