/** Kinds of values that the programs tell apart. */
export type Kind =
  | 'boolean'
  | 'integer'
  | 'text'
  | 'address'
  | 'path'
  | 'texts'
  | 'map'
  | 'maps'
  | 'choice'
  | 'fsync'
  | 'any'

/** One key that a program reads, as data. */
export interface KeySpec {
  key: string
  kind: Kind
  /** Of integers. */
  min?: number
  max?: number
  /** Of choices. */
  choices?: readonly string[]
  /** What holds where nothing is said; undefined: nothing. */
  byDefault?: string | number | boolean
  /** Variable of the environment that wins over it. */
  variable?: string
}

/** A key that does nothing, although documents have it. */
export interface DeadKey {
  key: string
  /** What to do instead, or why not. */
  instead: string
}
