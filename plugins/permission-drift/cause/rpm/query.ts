import { describeError, type HostReader } from '../../../../agent/contract/mod.ts'

export const RPM_PROGRAM = '/usr/bin/rpm'
/** One line for each file of each installed package; see the tags of `rpm --querytags`. */
export const RPM_QUERY = [
  '-qa',
  '--queryformat',
  '[%{=NAME}\\t%{=VERSION}-%{=RELEASE}\\t%{=INSTALLTIME}\\t%{FILEMODES:octal}\\t%{FILEUSERNAME}\\t%{FILEGROUPNAME}\\t%{FILEFLAGS}\\t%{=FILEDIGESTALGO}\\t%{FILEDIGESTS}\\t%{FILELINKTOS}\\t%{FILENAMES}\\n]',
]
const TIMEOUT_MS = 120_000
const MAX_BYTES = 512 * 1024 * 1024

/** A file as a package of rpm ships it. */
export interface RpmFile {
  package: string
  version: string
  installedMs: number
  /** With the type: 0100644. */
  mode: number
  user: string
  group: string
  /** Bits of rpmfiles.h: configuration 1, not necessarily there (ghost) 64. */
  flags: number
  /** "md5", "sha256", …; undefined where rpm has none. */
  algorithm: string | undefined
  digest: string
  target: string
}

export const GHOST = 64
/** Numbers of RFC 4880, as rpm writes them. */
const ALGORITHMS: Record<string, string> = {
  '1': 'md5',
  '2': 'sha1',
  '8': 'sha256',
  '9': 'sha384',
  '10': 'sha512',
}

/** All files that packages of rpm ship, by path. Undefined where there is no rpm, or it does not answer. */
export async function queryRpm(
  host: HostReader,
  signal: AbortSignal,
  onBlind: (subject: string, reason: string) => void,
): Promise<Map<string, RpmFile[]> | undefined> {
  if (!host.statTarget(RPM_PROGRAM)) return undefined
  try {
    const argv: [string, ...string[]] = [RPM_PROGRAM, ...RPM_QUERY]
    const result = await host.run(argv, { timeout: TIMEOUT_MS, signal, maxBytes: MAX_BYTES })
    if (result.exitCode === 0 && !result.truncated) return parseRpmFiles(result.stdout)
    const reason = result.timedOut ? 'it took too long' : result.stderr.trim().split('\n')[0]
    onBlind(RPM_PROGRAM, `it did not say what packages ship: ${reason || `exit code ${result.exitCode}`}`)
  } catch (error) {
    onBlind(RPM_PROGRAM, describeError(error))
  }
  return undefined
}

/** The answer of the query, by path. */
export function parseRpmFiles(text: string): Map<string, RpmFile[]> {
  const files = new Map<string, RpmFile[]>()
  for (const line of text.split('\n')) {
    const fields = line.split('\t')
    if (fields.length < 11) continue
    const [name = '', version = '', time = '', mode = '', user = '', group = '', flags = ''] = fields
    const [algorithm = '', digest = '', target = '', ...path] = fields.slice(7)
    const file: RpmFile = {
      package: name,
      version,
      installedMs: Number(time) * 1000,
      mode: Number.parseInt(mode, 8),
      user,
      group,
      flags: Number(flags),
      algorithm: digest === '' ? undefined : (ALGORITHMS[algorithm] ?? ALGORITHMS['1']),
      digest,
      target: target === '(none)' ? '' : target,
    }
    const key = path.join('\t')
    const list = files.get(key)
    if (list) list.push(file)
    else files.set(key, [file])
  }
  return files
}
