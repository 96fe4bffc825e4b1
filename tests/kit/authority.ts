import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

/** A certificate authority of OpenSSL in a directory. */
export class Authority {
  readonly certificate: string
  private readonly key: string
  private count = 0

  constructor(
    private readonly directory: string,
    name = 'authority',
    issuer?: Authority,
  ) {
    this.certificate = join(directory, `${name}.pem`)
    this.key = join(directory, `${name}.key`)
    if (issuer) {
      const made = issuer.issue(name, [], { extensions: 'basicConstraints=critical,CA:TRUE', file: name })
      this.certificate = made.certificate
      this.key = made.key
      return
    }
    const out = ['-keyout', this.key, '-out', this.certificate]
    openssl('req', '-x509', '-nodes', ...CURVE, ...out, '-subj', `/CN=${name}`, '-days', '3650')
  }

  /** A certificate for these names ("DNS:example.org", "IP:127.0.0.1"), without its chain. */
  issue(
    name: string,
    names: string[],
    options: { days?: number; extensions?: string; file?: string; key?: string } = {},
  ): { certificate: string; key: string } {
    const file = join(this.directory, options.file ?? `${name}-${++this.count}`)
    const key = options.key ?? `${file}.key`
    const source = options.key ? ['-key', key] : [...CURVE, '-keyout', key]
    openssl('req', '-new', '-nodes', ...source, '-out', `${file}.csr`, '-subj', `/CN=${name}`)
    const extensions = [
      options.extensions ?? 'basicConstraints=CA:FALSE',
      ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
    ]
    writeFileSync(`${file}.ext`, `${extensions.join('\n')}\n`)
    const by = [
      '-CA',
      this.certificate,
      '-CAkey',
      this.key,
      '-set_serial',
      `0x${crypto.randomUUID().slice(0, 8)}`,
    ]
    const days = ['-days', String(options.days ?? 365)]
    openssl(
      'x509',
      '-req',
      '-in',
      `${file}.csr`,
      ...by,
      ...days,
      '-extfile',
      `${file}.ext`,
      '-out',
      `${file}.pem`,
    )
    return { certificate: `${file}.pem`, key }
  }
}

export function openssl(...args: string[]): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync(['openssl', ...args], { stdin: 'ignore' })
  if (exitCode !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
  return stdout
}
