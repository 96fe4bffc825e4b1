import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Long ago, so that a key is there already whatever time a test takes for now. */
const MADE_AT = '20200101T000000'

/** A GnuPG home of its own, with real keys; removed by `using`, its agent too. */
export class GnuPg implements Disposable {
  // Short: the agent's socket is in it, and its path is limited to 108 bytes.
  readonly home = mkdtempSync(join(tmpdir(), 'gpg-'))

  constructor() {
    chmodSync(this.home, 0o700)
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(['gpgconf', '--kill', 'all'], { env: this.env })
    rmSync(this.home, { recursive: true, force: true })
  }

  /** Makes a key for signing with a subkey of `subkey` for encryption; returns its fingerprint. */
  makeKey(
    userId: string,
    options: { subkey?: string | null; expire?: string; algorithm?: string; at?: string } = {},
  ) {
    const { subkey = 'cv25519', expire = 'never', algorithm = 'ed25519', at = MADE_AT } = options
    const clock = ['--faked-system-time', at]
    this.run([...clock, '--quick-generate-key', userId, algorithm, 'sign', expire])
    const fingerprint = this.fingerprintOf(userId)
    if (subkey) this.run([...clock, '--quick-add-key', fingerprint, subkey, 'encr', expire])
    return fingerprint
  }

  fingerprintOf(userId: string): string {
    const listing = this.run(['--list-keys', '--with-colons', userId]).toString()
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1]
    if (!fingerprint) throw new Error(`gpg has no key of ${userId}`)
    return fingerprint.toLowerCase()
  }

  revoke(fingerprint: string): void {
    const certificate = join(this.home, 'openpgp-revocs.d', `${fingerprint.toUpperCase()}.rev`)
    const text = readFileSync(certificate, 'utf8').replace(/^:---/m, '---')
    this.run(['--import'], text)
  }

  exportPublic(path: string, userIds: string[], options: { armor?: boolean } = {}): void {
    writeFileSync(path, this.run([...(options.armor ? ['--armor'] : []), '--export', ...userIds]))
  }

  exportSecret(path: string, userId: string, options: { armor?: boolean } = {}): void {
    writeFileSync(path, this.run([...(options.armor ? ['--armor'] : []), '--export-secret-keys', userId]))
  }

  /** gpg's own view of a message. */
  packets(path: string): string {
    return this.run(['--list-packets', path]).toString()
  }

  run(args: string[], stdin?: string): Buffer {
    const argv = ['gpg', '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args]
    const result = Bun.spawnSync(argv, {
      env: this.env,
      stdin: stdin === undefined ? 'ignore' : Buffer.from(stdin),
      stderr: 'pipe',
    })
    if (result.exitCode !== 0) throw new Error(`gpg ${args.join(' ')}: ${result.stderr.toString()}`)
    return result.stdout
  }

  get env(): Record<string, string> {
    return { PATH: process.env.PATH ?? '', GNUPGHOME: this.home, LANG: 'C.UTF-8' }
  }
}
