import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logrotate } from '../../../../plugins/log-rotation/program/main.ts'
import { temporaryDirectory } from '../../../kit/plugin.ts'

/** A directory with a configuration and a log in it; `@` in the configuration stands for the directory. */
export function workspace(config: string, log: string | null = 'line\n') {
  const directory = temporaryDirectory('logrotate')
  const at = (name: string) => join(directory.path, name)
  const configure = (text: string) =>
    writeFileSync(at('conf'), text.replaceAll('@', directory.path), { mode: 0o644 })
  configure(config)
  if (log !== null) writeFileSync(at('a.log'), log, { mode: 0o640 })
  let said = ''
  return {
    at,
    configure,
    path: directory.path,
    /** Runs over the configuration and returns the exit code. */
    run: (...options: string[]) =>
      logrotate(['-s', at('state'), ...options, at('conf')], (text) => {
        said += text
      }),
    /** What was said since the last time. */
    said: () => {
      const text = said.replaceAll(directory.path, '@')
      said = ''
      return text
    },
    read: (name: string) => readFileSync(at(name), 'utf8'),
    has: (name: string) => existsSync(at(name)),
    write: (name: string, text: string, mode = 0o644) => writeFileSync(at(name), text, { mode }),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

/** Everything below a directory, with modes, owners and contents. */
export function snapshot(directory: string, prefix = ''): Record<string, string> {
  return Object.assign(
    {},
    ...readdirSync(directory).map((name) => {
      const path = join(directory, name)
      const stat = lstatSync(path)
      const rights = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`
      if (stat.isDirectory()) return { [`${prefix}${name}/`]: rights, ...snapshot(path, `${prefix}${name}/`) }
      const content = stat.isSymbolicLink()
        ? `-> ${readlinkSync(path)}`
        : stat.isFile()
          ? readFileSync(path, 'latin1')
          : '?'
      return { [prefix + name]: `${rights} ${content}` }
    }),
  )
}
