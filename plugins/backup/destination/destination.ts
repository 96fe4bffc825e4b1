/** One stored object, as its destination lists it. */
export interface StoredObject {
  name: string
  bytes: number
  /** Of its last change. Remote places know it to the second. */
  mtimeMs: number
}

/** What is known of an object before it is stored. */
export interface KnownObject {
  bytes: number
  /** SHA-256, 64 hex digits. */
  sha256: string
}

/** An object that is being written. It appears under its name only when it is whole and durable. */
export interface ObjectSink {
  /** Bytes that an earlier try has left there: go on behind them. 0 unless the object was known before. */
  readonly offset: number
  write(chunk: Uint8Array): Promise<void>
  commit(): Promise<void>
  /** Ends an object that is not committed. What a later try can go on with may stay. Safe to call after commit. */
  abort(): Promise<void>
}

/** Where backups are kept: all that is asked of it without changing it. */
export interface DestinationReader {
  /** Its name in the configuration, or the location. */
  readonly name: string
  /** For people: "/srv/backup". It tells one destination from another in the records, too. */
  readonly location: string
  stat(name: string): Promise<StoredObject | undefined>
  /** Everything that is there, other people's things too. */
  list(): Promise<StoredObject[]>
  /** Its bytes in chunks, from an offset; each chunk is valid until the next one is asked for. */
  read(name: string, from?: number): AsyncIterable<Uint8Array>
  /** Undefined where it cannot be told. */
  freeBytes(): Promise<number | undefined>
  /** Who else may delete or replace what is there, in words; undefined when nobody is known to. */
  exposure(): Promise<{ reason: string; remedy: string } | undefined>
  close(): Promise<void>
}

export interface Destination extends DestinationReader {
  /** `known` lets an upload go on where an earlier one of the same object ended. */
  create(name: string, known?: KnownObject): Promise<ObjectSink>
  /** A small object as a whole, in the place of one that has its name. */
  put(name: string, content: Uint8Array): Promise<void>
  /** Throws RemovalRefusedError where this host is not allowed to remove anything. */
  remove(name: string): Promise<void>
  /** Removes what dead runs of this job left unfinished, but for `keep`; returns how many. */
  removeUnfinished(keep?: KnownObject): Promise<number>
}

/** The place does not let this host remove backups. Nothing is wrong with that: somebody else has to. */
export class RemovalRefusedError extends Error {}
