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
}

export const REAL = '/usr/sbin/logrotate'

/** What the real program makes of a case, and what reeve does with the same. */
export async function compare(
  root: string,
  given: Case,
): Promise<{ real: Outcome; ours: Outcome; said: string }> {
  const real = await outcome(root, given, async (args) => {
    const { exitCode } = Bun.spawnSync([REAL, ...args], { stdout: 'ignore', stderr: 'ignore' })
    return exitCode
  })
  let said = ''
  const ours = await outcome(root, given, (args) =>
    logrotate(args, (text) => {
      said += text
    }),
  )
  // After an error the states differ: reeve keeps the time of a log that was not rotated.
  if (real.exits.some((code) => code !== 0)) {
    real.state = []
    ours.state = []
    // Since 3.22 the prerotate script runs before it is known whether the log can be rotated.
    delete real.tree.scripts
    delete ours.tree.scripts
  }
  return { real, ours, said }
}

async function outcome(
  root: string,
  given: Case,
  run: (args: string[]) => Promise<number>,
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
  const exits: number[] = []
  for (const options of given.runs) {
    exits.push(await run([...options, '-s', state, config]))
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
  return { exits, tree: found, state: stateLines(state) }
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
