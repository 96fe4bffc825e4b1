import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const CHECKOUT = join(import.meta.dir, '../..')
const SOURCES = ['agent', 'plugins', 'profiles', 'package.json', 'bun.lock', 'scripts/build.ts', 'packaging']

/** Path of the compiled binary; built anew when a source is newer, so that no test looks at an old one. */
export function reeveBinary(): string {
  binary ??= freshBinary()
  return binary
}

/** Looked up once in a process, so that all of a test file is about one build. */
let binary: string | undefined

function freshBinary(): string {
  const binary = join(CHECKOUT, 'dist/reeve')
  if (isNewer(binary, SOURCES)) return binary
  const fresh = join(CHECKOUT, `dist/.build-${process.pid}/reeve`)
  run([process.execPath, 'scripts/build.ts', '--outfile', fresh], {})
  renameSync(fresh, binary)
  rmSync(dirname(fresh), { recursive: true })
  return binary
}

/** Path of the release archive for this machine, with SHA256SUMS beside it; made anew when it is old. */
export function releaseArchive(): string {
  const directory = join(CHECKOUT, 'dist/test-release')
  const find = () => archives(directory).at(0) ?? join(directory, 'none')
  if (!isNewer(find(), [...SOURCES, 'install.sh'])) {
    const fresh = join(CHECKOUT, `dist/.release-${process.pid}`)
    run(['scripts/release', process.arch], { REEVE_RELEASE_DIR: fresh })
    mkdirSync(directory, { recursive: true })
    for (const path of [join(fresh, 'SHA256SUMS'), ...archives(fresh)]) {
      renameSync(path, join(directory, basename(path)))
    }
    rmSync(fresh, { recursive: true })
  }
  return find()
}

function archives(directory: string): string[] {
  const names = statSync(directory, { throwIfNoEntry: false }) ? readdirSync(directory) : []
  return names.filter((name) => name.endsWith('.tar.gz')).map((name) => join(directory, name))
}

function run(command: string[], env: Record<string, string>): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: CHECKOUT, env: { ...process.env, ...env } })
  if (exitCode !== 0) throw new Error(`"${command.join(' ')}" ended with ${exitCode}: ${stderr}`)
}

function isNewer(path: string, sources: string[]): boolean {
  const changed = Math.max(...sources.flatMap((source) => changeTimes(join(CHECKOUT, source))))
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= changed
}

function changeTimes(path: string): number[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return []
  if (!stat.isDirectory()) return [stat.mtimeMs]
  return [stat.mtimeMs, ...readdirSync(path).flatMap((name) => changeTimes(join(path, name)))]
}
