import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Finding, Report } from '../../../agent/contract/mod.ts'
import type { configSchema } from '../../../plugins/service-config/config.ts'
import plugin from '../../../plugins/service-config/plugin.ts'
import { pluginUnderTest, temporaryDirectory } from '../../kit/plugin.ts'

type Settings = z.input<typeof configSchema>

/** A host in a directory, with these files, and a look at it as the job would have. */
export function hostWith(files: Record<string, string | Uint8Array>, settings: Settings) {
  const root = temporaryDirectory('reeve-service')
  const write = (path: string, content: string | Uint8Array, mode = 0o644) => {
    mkdirSync(dirname(root.path + path), { recursive: true })
    writeFileSync(root.path + path, content)
    chmodSync(root.path + path, mode)
  }
  for (const [path, content] of Object.entries(files)) write(path, content)
  const check = (now?: Date): Promise<Report> =>
    pluginUnderTest(plugin, settings, {
      root: root.path,
      stateDir: '/state',
      ...(now ? { now } : {}),
    }).check()
  return {
    root: root.path,
    write,
    read: (path: string) => readFileSync(root.path + path, 'utf8'),
    check,
    command: (args: string[], now: Date) =>
      pluginUnderTest(plugin, settings, { root: root.path, stateDir: '/state', now }).command('reviewed', {
        positionals: args,
      }),
    /** Carries out the lines of a remedy that edit files, as they are written, with this directory as "/". */
    carryOut(remedy: string): string[] {
      const commands = remedy.split('\n').filter((line) => /^(sed|printf|install|chmod|openssl) /.test(line))
      for (const command of commands) {
        const here = command
          .replace(/ && systemctl .*$/, '')
          .replace(
            /(?<=(?:\s|^)(?:tee )?)\/(?:etc|root|home|opt|srv)\/[^\s']*(?=$| \|)/g,
            (path) => root.path + path,
          )
        const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', here], {
          env: { PATH: process.env.PATH ?? '' },
        })
        if (exitCode !== 0) throw new Error(`${here}: ${stderr.toString()}`)
      }
      return commands
    },
    [Symbol.dispose]: () => root[Symbol.dispose](),
  }
}

/** "rule line key", sorted: what a test compares. */
export function briefly(findings: Finding[]): string[] {
  return findings
    .map(({ rule, subject, evidence }) =>
      `${rule} ${evidence?.line ?? '-'} ${subject.split('#')[1] ?? ''}`.trim(),
    )
    .toSorted()
}
