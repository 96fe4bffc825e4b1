import type { Declaration } from './config.ts'

/**
 * One credential as a parser finds it in the bytes of a file. `value` and `identity` go no further than the
 * keyed fingerprint made of them.
 */
export interface Member {
  /** What tells it from the others of the same file; none when the file holds just this one. */
  id?: string | undefined
  /** The secret itself, for what is a text (variables, tokens). "" when there is none. */
  value?: string | undefined
  /** Bytes that tell it from any other, for keys and certificates. */
  identity?: Uint8Array | undefined
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
  override readonly name = 'Unreadable'
}

/** A credential of this host, without its value. */
export interface Credential extends Omit<Member, 'value' | 'identity'> {
  /** "/etc/app/env#API_TOKEN" */
  subject: string
  path: string
  declaration: Declaration
  /** Keyed; undefined when there is no value. */
  fingerprint: string | undefined
  /** What is wrong with the value itself. */
  placeholder: boolean
  weaknesses: string[]
  mode: number
  mtimeMs: number
  /** Device and inode: two paths to one file are one place. */
  file: string
}
