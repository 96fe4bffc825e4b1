import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Every fact of every entry below a directory, by its name: what must be the same after a restore. */
export function factsOf(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'buffer' }).map((name) =>
    name.toString('latin1'),
  )
  return Object.fromEntries(
    ['', ...names.sort()].map((name) => {
      const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')])
      const stat = lstatSync(path, { bigint: true })
      const content = stat.isFile()
        ? new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex')
        : ''
      const target = stat.isSymbolicLink() ? readlinkSync(path, 'buffer').toString('latin1') : ''
      const links = stat.isFile() ? stat.nlink : 0
      const { mode, uid, gid, mtimeNs, rdev } = stat
      const size = stat.isFile() ? stat.size : 0
      return [name, [mode.toString(8), uid, gid, size, mtimeNs, rdev, links, target, content].join(' ')]
    }),
  )
}

/** Attributes, access control lists and capabilities of all below a directory, as the system's own tools say. */
export function attributesOf(directory: string): string {
  const run = (...argv: string[]) => {
    const result = Bun.spawnSync(argv, { cwd: directory, env: { PATH: process.env.PATH ?? '', LANG: 'C' } })
    if (result.exitCode !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`)
    return result.stdout.toString()
  }
  return [
    run('getfattr', '--recursive', '--physical', '--no-dereference', '--dump', '--match=-', '.'),
    run('getfacl', '--recursive', '--physical', '--numeric', '.'),
    run('getcap', '-r', '.'),
  ].join('\n')
}

/** Bytes that a file takes on the disk. */
export function diskBytes(...path: string[]): number {
  return lstatSync(join(...path)).blocks * 512
}
