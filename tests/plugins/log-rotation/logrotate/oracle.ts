import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'

/** A tree, a configuration and how often logrotate runs over it. `@` stands for the directory of the tree. */
export interface Case {
  files: Record<string, { text: string; mode?: number; ageDays?: number }>
  directories?: string[]
  config: string
  state?: string
  runs: string[][]
}

export interface Outcome {
  exits: number[]
  tree: Record<string, string>
  state: string[]
  /** Messages of all runs, of programs that have the same ones. */
  said: string[]
}

/** The installed one, or another that was built. */
export const REAL = process.env.LOGROTATE_PROGRAM ?? '/usr/sbin/logrotate'

/** 3.22 and later have the messages, and the errors, that reeve has. */
export const isNewer = (() => {
  if (!existsSync(REAL)) return false
  const [, minor] = /^logrotate 3\.([0-9]+)/.exec(String(Bun.spawnSync([REAL, '--version']).stdout)) ?? []
  return Number(minor) >= 22
})()

/** What the real program makes of a case, and what reeve does with the same. */
export async function compare(root: string, given: Case): Promise<{ real: Outcome; ours: Outcome }> {
  const real = await outcome(root, given, async (args, show) => {
    const { exitCode, stderr } = Bun.spawnSync([REAL, ...args], { stdout: 'ignore' })
    show(String(stderr))
    return exitCode
  })
  const ours = await outcome(root, given, logrotate)
  if (isNewer) return { real, ours }
  real.said = []
  ours.said = []
  // After an error the states differ: reeve keeps the time of a log that was not rotated.
  if (real.exits.some((code) => code !== 0)) {
    real.state = []
    ours.state = []
    // Since 3.22 the prerotate script runs before it is known whether the log can be rotated.
    delete real.tree.scripts
    delete ours.tree.scripts
  }
  return { real, ours }
}

async function outcome(
  root: string,
  given: Case,
  run: (args: string[], show: (text: string) => void) => Promise<number>,
): Promise<Outcome> {
  const tree = join(root, 'tree')
  rmSync(root, { recursive: true, force: true })
  mkdirSync(tree, { recursive: true })
  chmodSync(root, 0o755)
  chmodSync(tree, 0o755)
  const fill = (text: string) => text.replaceAll('@', tree)
  for (const name of given.directories ?? []) mkdirSync(join(tree, name))
  for (const [name, { text, mode = 0o644, ageDays = 0 }] of Object.entries(given.files)) {
    const path = join(tree, name)
    writeFileSync(path, name.endsWith('.gz') ? Bun.gzipSync(Buffer.from(text)) : text)
    chmodSync(path, mode)
    const at = Date.now() / 1000 - ageDays * 86_400
    utimesSync(path, at, at)
  }
  const [config, state] = [join(root, 'logrotate.conf'), join(root, 'state')]
  writeFileSync(config, fill(given.config), { mode: 0o644 })
  if (given.state !== undefined) writeFileSync(state, fill(given.state), { mode: 0o640 })
  const mailer = join(root, 'mailer')
  writeFileSync(mailer, `#!/bin/sh\necho "$@" >> ${tree}/mailed\ncat >> ${tree}/mailed\n`, { mode: 0o755 })
  const exits: number[] = []
  let said = ''
  for (const options of given.runs) {
    const args = [...options, '-m', mailer, '-s', state, config]
    exits.push(
      await run(args, (text) => {
        said += text
      }),
    )
    for (const name of Object.keys(given.files)) {
      const path = join(tree, name)
      if (name.endsWith('.log') && existsSync(path)) writeFileSync(path, 'more\n', { flag: 'a' })
    }
  }
  const found = snapshot(tree)
  // Which of several old logs goes first is no matter.
  if (found.scripts)
    found.scripts = found.scripts
      .replace(/^\S+ \S+ /, '')
      .split('\n')
      .sort()
      .join('\n')
  return { exits, tree: found, state: stateLines(state), said: messages(said) }
}

function snapshot(directory: string, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name)
    const stat = lstatSync(path)
    const rights = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`
    if (stat.isDirectory()) {
      found[`${prefix}${name}/`] = rights
      Object.assign(found, snapshot(path, `${prefix}${name}/`))
    } else if (stat.isSymbolicLink()) found[prefix + name] = `-> ${readlinkSync(path)}`
    else {
      const bytes = readFileSync(path)
      const text =
        bytes[0] === 0x1f && bytes[1] === 0x8b ? `gzip:${Buffer.from(gunzipSync(bytes))}` : String(bytes)
      found[prefix + name] = `${rights} ${text}`
    }
  }
  return found
}

/** The moment of this run is the same moment, however many milliseconds lie between two programs. */
function stateLines(path: string): string[] {
  if (!existsSync(path)) return []
  const today = new Date()
  const day = `${today.getFullYear()}-${today.getMonth() + 1}-${today.getDate()}`
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) =>
      line.replace(new RegExp(`${day}-\\d+:(?!0:0$)\\d+:\\d+$`), 'NOW').replace(/(-\d+):0:0$/, '$1:0:0'),
    )
    .map((line) => line.replace(new RegExp(`${day}-\\d+:0:0$`), 'FIRST SEEN'))
    .sort()
}

/** In no order: logs are compressed side by side. How another user comes to compress is not the same. */
export function messages(said: string): string[] {
  return said
    .replace(/\(pid [0-9]+\)/g, '(pid)')
    .split('\n')
    .filter((line) => !/^switching uid to |^ {2}Now: /.test(line))
    .sort()
}
