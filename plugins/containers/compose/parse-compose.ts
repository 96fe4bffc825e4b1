import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import type { Place } from '../settings.ts'
import { interpolate } from './interpolate.ts'

/** A value of a compose file, with the line it stands on. */
export type Value = { at: Place } & (
  | { kind: 'text'; text: string }
  | { kind: 'list'; items: Value[] }
  | { kind: 'map'; entries: Entries }
  /** It depends on a variable. */
  | { kind: 'unknown'; reason: string }
)
/** Settings by name, with the line of the name. */
export type Entries = Map<string, { value: Value; line: number }>

export interface ComposeService {
  name: string
  line: number
  settings: Entries
}

export interface ComposeFile {
  path: string
  services: ComposeService[]
  /** What it takes from elsewhere: "include", "extends". */
  isOfSeveral: boolean
}

const MAX_DEPTH = 12
const MAX_SERVICES = 1000
const MAX_NODES = 100_000

/**
 * The services of a compose file; anchors and merge keys are followed. Throws when it is no YAML, or no compose file.
 * Pure.
 */
export function parseCompose(
  path: string,
  text: string,
  variables: ReadonlyMap<string, string>,
): ComposeFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent' })
  const [error] = document.errors
  if (error) throw new Error(`line ${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`)
  if (!isMap(document.contents)) throw new Error('it is no compose file: it has no settings')
  const reader = new Reader(path, document, lines, variables)
  const top = reader.entries(document.contents)
  const services = top.get('services')
  const isOfSeveral = top.has('include')
  if (!services) {
    if (isOfSeveral) return { path, services: [], isOfSeveral }
    throw new Error('it is no compose file: it has no services')
  }
  const value = reader.read(services.node, 0)
  if (value.kind !== 'map') throw new Error(`line ${services.line}: "services" is no map`)
  if (value.entries.size > MAX_SERVICES) throw new Error(`it has more than ${MAX_SERVICES} services`)
  return {
    path,
    isOfSeveral,
    services: [...value.entries].map(([name, { value: service, line }]) => {
      if (service.kind !== 'map') throw new Error(`line ${line}: the service "${name}" is no map`)
      return { name, line, settings: service.entries }
    }),
  }
}

class Reader {
  private nodes = 0

  constructor(
    private readonly path: string,
    private readonly document: ReturnType<typeof parseDocument>,
    private readonly lines: LineCounter,
    private readonly variables: ReadonlyMap<string, string>,
  ) {}

  /** Keys of a map with those that `<<` merges into it: its own go before them. */
  entries(map: YAMLMap, depth = 0): Map<string, { node: Node | null; line: number }> {
    const own = new Map<string, { node: Node | null; line: number }>()
    const merged = new Map<string, { node: Node | null; line: number }>()
    for (const { key, value } of map.items) {
      // The value of a merge key is no text.
      const name = isScalar(key) ? (typeof key.value === 'string' ? key.value : (key.source ?? '')) : ''
      const node = value as Node | null
      if (name !== '<<') {
        own.set(name, { node, line: this.lineOf(key as Node | null) })
        continue
      }
      const target = this.resolve(node)
      for (const source of isSeq(target) ? target.items : [target]) {
        const inner = this.resolve(source as Node | null)
        if (!isMap(inner) || depth > MAX_DEPTH)
          throw new Error(`line ${this.lineOf(node)}: "<<" names no map`)
        for (const [word, entry] of this.entries(inner, depth + 1)) {
          if (!merged.has(word)) merged.set(word, entry)
        }
      }
    }
    return new Map([...merged, ...own])
  }

  read(node: Node | null, depth: number): Value {
    const at = { path: this.path, line: this.lineOf(node) }
    const target = this.resolve(node)
    // Anchors in anchors become as many values as a bomb has.
    if (++this.nodes > MAX_NODES || depth > MAX_DEPTH) throw new Error('it is too deep, or too large')
    if (isMap(target)) {
      const entries = [...this.entries(target)].map(
        ([key, entry]) => [key, { value: this.read(entry.node, depth + 1), line: entry.line }] as const,
      )
      return { kind: 'map', entries: new Map(entries), at }
    }
    if (isSeq(target)) {
      return {
        kind: 'list',
        items: target.items.map((item) => this.read(item as Node | null, depth + 1)),
        at,
      }
    }
    const value = isScalar(target) ? target.value : null
    if (value === null || value === undefined) return { kind: 'text', text: '', at }
    const text =
      isScalar(target) && typeof value !== 'string' ? (target.source ?? String(value)) : String(value)
    const result = interpolate(text, this.variables)
    return result.known
      ? { kind: 'text', text: result.text, at }
      : { kind: 'unknown', reason: `it depends on the variable ${result.variable}`, at }
  }

  private resolve(node: Node | null): Node | null {
    return isAlias(node) ? ((node.resolve(this.document) as Node | undefined) ?? null) : node
  }

  private lineOf(node: Node | null): number {
    return this.lines.linePos(node?.range?.[0] ?? 0).line
  }
}
