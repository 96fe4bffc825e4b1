import type { Declaration } from './declaration.ts'
import type { ChainFault } from './judge/chain.ts'

/**
 * One credential as a parser finds it in the bytes of a file. `value` and `identity` go no further than the
 * keyed fingerprint made of them.
 */
export interface Member {
  /** What tells it from the others of the same file; none when the file holds just this one. */
  id?: string | undefined
  /** The secret itself, for what is a text (variables, tokens). "" when there is none. */
  value?: string | undefined
  /** Bytes that tell it from any other, for keys, certificates and hashes. */
  identity?: Uint8Array | undefined
  /** SubjectPublicKeyInfo in DER: what a certificate and its private key have in common. */
  publicKey?: Uint8Array | undefined
  /** Of a certificate: itself, for its chain to be judged. */
  der?: Uint8Array | undefined
  /** Whoever reads the file has the credential. */
  confidential: boolean
  line?: number | undefined
  /** Something for people: the comment of a key, the subject of a certificate. */
  label?: string | undefined
  algorithm?: string | undefined
  bits?: number | undefined
  /** Signature algorithm known to be broken, such as "sha1WithRSAEncryption". */
  brokenSignature?: string | undefined
  /** What its public fingerprint is called by its own tools: SHA256:… or a key id. */
  publicFingerprint?: string | undefined
  encrypted?: boolean | undefined
  /** What the parser knows to be weak about it, in words that do not help to guess it. */
  faults?: string[] | undefined
  /** It stands in a systemd unit, where every user can see it. */
  inUnit?: boolean | undefined
  /** An account that needs no password at all. */
  openToAll?: boolean | undefined
  issuedAtMs?: number | undefined
  validFromMs?: number | undefined
  expiresAtMs?: number | undefined
  /** Declared in the file itself, for what has no time of issue. */
  rotatedAtMs?: number | undefined
  revoked?: boolean | undefined
  /** Another of the same file does its work: its expiry does not matter any more. */
  superseded?: boolean | undefined
}

/** What a parser makes of one file. */
export interface Parsed {
  members: Member[]
  /** Parts that could not be understood. Never a word of the content. */
  problems: string[]
  /** Ids of parts left alone on purpose: variables that only refer to another one. */
  skipped?: string[]
}

/** A file of which nothing can be understood. Its message never quotes the content. */
export class Unreadable extends Error {
  override readonly name: string = 'Unreadable'
}

/** A file that opens with a password only. */
export class PasswordProtected extends Unreadable {
  override readonly name = 'PasswordProtected'
}

/**
 * A credential of this host, without its value: one place of it. Places with the same fingerprint are one
 * credential.
 */
export interface Credential extends Omit<Member, 'value' | 'identity' | 'publicKey' | 'der'> {
  /** "/etc/app/env#API_TOKEN", "tls://mail.example.org:465". Its identity among the facts and findings. */
  subject: string
  /** File that it lies in; of a port, its address. */
  path: string
  declaration: Declaration
  /** Keyed with the key of this host; undefined when there is no value. */
  fingerprint: string | undefined
  /** Keyed, too: of the public key that it belongs to. */
  keyFingerprint?: string | undefined
  placeholder: boolean
  weaknesses: string[]
  /** Of a line of a token-file. */
  form?: 'sha256' | 'sha256-upper' | 'plain' | undefined
  /** What is wrong with the chain that it begins. */
  chainFaults?: ChainFault[] | undefined
  /** Whether the declared private key belongs to it. */
  keyMatch?: { path: string; matches: boolean } | undefined
  /** Whether what a port serves is what its file holds. */
  served?:
    | {
        file: string
        matches: boolean
        fileSerial: string
        fileExpiresAtMs?: number | undefined
        fileMtimeMs: number
      }
    | undefined
  /** Of a port: "TLSv1.3". */
  protocol?: string | undefined
  /** Of its file; undefined for what lies in none. */
  file?: CredentialFile | undefined
}

export interface CredentialFile {
  mode: number
  uid: number
  gid: number
  mtimeMs: number
  ctimeMs: number
  /** Device and inode: two paths to one file are one place. */
  inode: string
}
