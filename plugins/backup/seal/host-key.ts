import { hostname } from 'node:os'
import type { PrivateKey } from 'openpgp'
import { describeError, type HostReader, type HostWriter, UserError } from '../../../agent/contract/mod.ts'

/** So that a key is older than all that it signs, whatever the clock of its first day said. */
const MADE_AT = new Date('2020-01-01T00:00:00Z')
const MAX_BYTES = 65_536

/** The key that a job signs its backups with. It is made at first use, and never leaves the job's own directory. */
export class HostKey {
  private constructor(private readonly key: PrivateKey) {}

  static async loadOrMake(state: HostWriter, stateDir: string, job: string): Promise<HostKey> {
    const path = pathOf(stateDir)
    if (!state.stat(path)) {
      const { generateKey } = await import('openpgp')
      const { privateKey } = await generateKey({
        type: 'ecc',
        // Version 4 with Ed25519 as GnuPG 2.2 knows it.
        curve: 'ed25519Legacy',
        userIDs: [{ name: `reeve on ${hostname()}, backups of ${job}` }],
        subkeys: [],
        date: MADE_AT,
        format: 'armored',
      })
      // Always the same name, so that what a run that died left does not stay.
      const temporaryPath = `${path}.new`
      if (state.stat(temporaryPath)) state.remove(temporaryPath)
      state.writeFile(path, privateKey, { mode: 0o600, temporaryPath })
    }
    const key = await HostKey.load(state, stateDir)
    if (!key) throw new Error(`Cannot use "${path}": it was removed`)
    return key
  }

  /** Undefined where no backup was signed yet. */
  static async load(state: HostReader, stateDir: string): Promise<HostKey | undefined> {
    const path = pathOf(stateDir)
    if (!state.stat(path)) return undefined
    const { readPrivateKey } = await import('openpgp')
    try {
      return new HostKey(await readPrivateKey({ armoredKey: state.readText(path, { maxBytes: MAX_BYTES }) }))
    } catch (cause) {
      throw new UserError(
        `Cannot use the key "${path}" that signs the backups: ${describeError(cause)}. Put it back from a copy, or ` +
          'move it away: a new one is made, and has to be told to whoever restores',
        { cause },
      )
    }
  }

  /** 40 hex digits. */
  get fingerprint(): string {
    return this.key.getFingerprint()
  }

  /** To be kept where backups are restored; armoured. */
  publicKey(): string {
    return this.key.toPublic().armor()
  }

  /** The text with a signature that `gpg --verify` checks. */
  async sign(text: string, now: Date): Promise<string> {
    const { createCleartextMessage, sign } = await import('openpgp')
    const message = await createCleartextMessage({ text })
    return sign({ message, signingKeys: this.key, date: now, format: 'armored' })
  }
}

function pathOf(stateDir: string): string {
  return `${stateDir}/signing-key.asc`
}
