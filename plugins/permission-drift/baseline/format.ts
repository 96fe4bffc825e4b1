import { createHash } from 'node:crypto'
import { type Json, z } from '../../../agent/contract/mod.ts'
import { ATTRIBUTES } from '../change.ts'

/**
 * A baseline is a file of three parts: a line of JSON, the header; the entries of the tree as records in tree order
 * (`agent/contract/entry-record.ts`), with their details; a newline and a line of JSON, the trailer, which seals all
 * before it with the key of this host. `reeve baseline export` shows one as text.
 */
export const header = z.strictObject({
  format: z.literal('reeve-baseline'),
  version: z.literal(2),
  tree: z.string(),
  /** One more with each acceptance, so that an older file is told from a newer one. */
  generation: z.number().int().positive(),
  /** When this generation was accepted. */
  madeAt: z.iso.datetime(),
  /** Who accepted it: a user, or "reeve" for a run. */
  by: z.string(),
  /** Why, in the operator's words. */
  reason: z.string().optional(),
  /** What it holds of the entries. */
  attributes: z.array(z.enum(ATTRIBUTES)),
})
export type Header = z.output<typeof header>

export const trailer = z.strictObject({
  entries: z.number().int().nonnegative(),
  /** Of all before the newline. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Keyed with this host's key over `sha256`: nobody else can write a baseline. */
  fingerprint: z.string(),
})
export type Trailer = z.output<typeof trailer>

export type Fingerprint = (value: string) => string

/** A baseline or history that does not verify or cannot be read: it was changed by somebody else, or is damaged. */
export class BaselineError extends Error {
  override readonly name = 'BaselineError'
}

/** The JSON of a line. Throws BaselineError for what is none. */
export function parseLine<T>(schema: z.ZodType<T>, what: string, line: string): T {
  let value: Json
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new BaselineError(`its ${what} is damaged`, { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new BaselineError(`its ${what} is damaged: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Files that belong to one tree, in the state directory: readable, and of their own for every tree. */
export function filesOf(stateDir: string, tree: string) {
  const readable =
    tree
      .replace(/[^A-Za-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60) || 'root'
  const name = `${readable}-${createHash('sha256').update(tree).digest('hex').slice(0, 8)}`
  return {
    baseline: `${stateDir}/baseline-${name}`,
    history: `${stateDir}/history-${name}.jsonl`,
    /** What one acceptance changed. */
    acceptance: (generation: number) => `${stateDir}/accepted-${name}-${generation}.jsonl`,
    /** What was found out about entries that differ from the baseline, to be spared next time. */
    recheck: `${stateDir}/recheck-${name}`,
  }
}
