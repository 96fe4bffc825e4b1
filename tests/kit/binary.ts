import { readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

const CHECKOUT = join(import.meta.dir, '../..')
const SOURCES = ['agent', 'plugins', 'profiles', 'package.json', 'bun.lock', 'scripts/build.ts']

/** Path of the compiled binary; built anew when a source is newer, so that no test looks at an old one. */
export function reeveBinary(): string {
  const binary = join(CHECKOUT, 'dist/reeve')
  const newest = Math.max(...SOURCES.flatMap((source) => changeTimes(join(CHECKOUT, source))))
  if ((statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= newest) return binary
  const fresh = join(CHECKOUT, `dist/.reeve-${process.pid}`)
  const build = Bun.spawnSync([process.execPath, 'scripts/build.ts', '--outfile', fresh], { cwd: CHECKOUT })
  if (build.exitCode !== 0) throw new Error(`Cannot build "${binary}": ${build.stderr}`)
  renameSync(fresh, binary)
  return binary
}

function changeTimes(path: string): number[] {
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return [mtimeMs]
  return [mtimeMs, ...readdirSync(path).flatMap((name) => changeTimes(join(path, name)))]
}
