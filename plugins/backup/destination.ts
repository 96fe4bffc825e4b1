/** One stored object, as its destination lists it. */
export interface StoredObject {
  name: string
  bytes: number
  mtimeMs: number
}

/** An object that is being written. It appears under its name only when it is whole and durable. */
export interface ObjectSink {
  write(chunk: Uint8Array): Promise<void>
  commit(): Promise<void>
  /** Leaves nothing behind. Safe to call after commit. */
  abort(): Promise<void>
}

/** Where backups are kept: all that is asked of it without changing it. */
export interface DestinationReader {
  /** For people: "/srv/backup". It tells one destination from another in the records, too. */
  readonly location: string
  stat(name: string): Promise<StoredObject | undefined>
  /** Everything that is there, other people's things too. */
  list(): Promise<StoredObject[]>
  /** Its bytes in chunks; each is valid until the next one is asked for. */
  read(name: string): AsyncIterable<Uint8Array>
  freeBytes(): Promise<number>
}

export interface Destination extends DestinationReader {
  create(name: string): Promise<ObjectSink>
  remove(name: string): Promise<void>
  /** Removes what a dead run of this job left unfinished; returns how many. */
  removeUnfinished(): Promise<number>
}
