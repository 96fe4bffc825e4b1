/** Why a scan did not go somewhere. */
export type SkipReason =
  | 'excluded'
  | 'other-file-system'
  | 'pseudo-file-system'
  | 'network-file-system'
  | 'bind-mount'

export interface ScanOptions {
  /** Return true to leave out an entry and all below it. Costs a string for every entry: only where it is needed. */
  exclude?: ((path: string) => boolean) | undefined
  /** Paths that are left out, with all below them. */
  leaveOut?: readonly string[] | undefined
  /** Called for everything that could not be looked at. */
  onBlind: (path: string, reason: string) => void
  /** Called for everything that is left out on purpose. */
  onSkip: (path: string, reason: SkipReason) => void
  /** Stay on the mount of the start directory. Default true. Else: not into pseudo, network and bind mounts. */
  oneFileSystem?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Some thousand entries as records (`agent/contract/entry-record.ts`); valid until the next one is asked for. */
export interface ScanBatch {
  words: Uint32Array
  bytes: Buffer
  /** Where records end, in words. */
  end: number
  /** Without the records of directories that only say where the entries after them are. */
  entries: number
}
