// Prints the licenses of what the binary is made of: every library with all that it needs, and the runtime.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const CHECKOUT = join(import.meta.dir, '..')
const manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).default({}),
})

/** Where a package lies, seen from the directory of the one that needs it. */
function directoryOf(name: string, from: string): string {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (directory === dirname(directory)) throw new Error(`Cannot find "${name}": it is not installed`)
  }
}

function packages(directory: string, found = new Map<string, string>()): Map<string, string> {
  const { dependencies } = read(directory)
  for (const name of Object.keys(dependencies)) {
    const place = directoryOf(name, directory)
    const { version } = read(place)
    if (found.has(`${name} ${version}`)) continue
    found.set(`${name} ${version}`, place)
    packages(place, found)
  }
  return found
}

function read(directory: string) {
  return manifest.parse(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')))
}

function noticeOf(title: string, place: string): string {
  const { license } = read(place)
  if (!license) throw new Error(`Cannot tell the license of "${title}": its package.json has none`)
  const file = readdirSync(place).find((name) => /^(licen[cs]e|copying|notice)/i.test(name))
  const text = file ? readFileSync(join(place, file), 'utf8').trim() : `It is under ${license}.`
  return `${'='.repeat(80)}\n${title} (${license})\n\n${text}\n`
}

/** All notices, by name. Throws when a library has no license. */
export function notices(): string {
  const { engines } = z
    .object({ engines: z.object({ bun: z.string() }) })
    .parse(createRequire(import.meta.url)('../package.json'))
  const parts = [...packages(CHECKOUT)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    'reeve is under the Apache License 2.0, see LICENSE. Its binary holds these works of others:\n',
    `Bun ${engines.bun}, MIT, with JavaScriptCore (LGPL-2.1) and what https://bun.sh/docs/project/license lists.`,
    'What is under the LGPL is used as it is; reeve can be built with another version of it from its sources.\n',
    ...parts.map(([title, place]) => noticeOf(title, place)),
  ].join('\n')
}

if (import.meta.main) process.stdout.write(notices())
