import type { Permissions } from '../../../agent/contract/mod.ts'
import { keyFileOf } from '../places.ts'
import type { Rotatable } from './rotatable.ts'

/** The sockets over which systemctl asks systemd. */
const SYSTEMD = ['unix:/run/systemd/private', 'unix:/run/dbus/system_bus_socket']

/** What rotating these may touch: their directories, for files are replaced as a whole. Pure. */
export function rotationPermissions(rotatables: Rotatable[]): Permissions {
  const files = rotatables.flatMap(({ declaration, rotation, path }) => [
    path,
    ...(declaration.kind === 'certificate' ? (keyFileOf(declaration, path) ?? []) : []),
    ...rotation.deliver.map((client) => client.path),
  ])
  const programs = rotatables.flatMap(programsOf)
  const net = rotatables.flatMap(({ rotation: { probe, net } }) => [
    ...net,
    ...(probe
      ? [probe.host.includes(':') ? `[${probe.host}]:${probe.port}` : `${probe.host}:${probe.port}`]
      : []),
  ])
  const asksSystemd = programs.some(([program]) => program.endsWith('/systemctl'))
  return {
    write: [...new Set([...files.map(directoryOf), ...rotatables.flatMap(({ rotation }) => rotation.write)])],
    run: programs,
    net: [...new Set([...net, ...(asksSystemd ? SYSTEMD : [])])],
    capabilities: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_KILL'],
  }
}

function programsOf({ declaration, rotation, path }: Rotatable): [string, ...string[]][] {
  const { generate, issue, renew, reload, deliver, verify } = rotation
  const issued = issue && declaration.kind === 'certificate' ? [issueCommand(issue, declaration, path)] : []
  const others = [generate, renew, verify].filter((argv) => argv !== undefined)
  return [...issued, ...others, ...reload, ...deliver.flatMap((client) => client.reload)]
}

/** The command that issues a certificate, with the paths at which it is awaited. Pure. */
export function issueCommand(
  argv: [string, ...string[]],
  declaration: Rotatable['declaration'],
  path: string,
): [string, ...string[]] {
  const [program, ...words] = argv
  const key = (declaration.kind === 'certificate' ? keyFileOf(declaration, path) : undefined) ?? path
  return [
    program,
    ...words.map((word) =>
      word.replaceAll('{certificate}', `${path}.reeve-next`).replaceAll('{keyFile}', `${key}.reeve-next`),
    ),
  ]
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}
