import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from 'yaml'
import { Malformed } from './text.ts'

export type YamlScalar = string | number | boolean | null

/** A part of a YAML file, with its place. Aliases are resolved. */
export interface YamlNode {
  kind: 'map' | 'list' | 'scalar'
  /** Of the key that leads to it, or else of itself; from 1. */
  line: number
  /** Where its own text begins and ends, in characters. */
  start: number
  end: number
  /** Where the text of the key that leads to it begins; undefined for elements and behind an alias. */
  keyStart?: number | undefined
  /** `{…}` or `[…]` instead of lines. */
  flow: boolean
  /** Of a scalar. */
  value?: YamlScalar
  /** "!every_n", where it is not one of YAML's own. */
  tag?: string | undefined
  /** Of a map, in order. */
  entries: Map<string, YamlNode>
  /** Of a list. */
  items: YamlNode[]
}

export interface YamlFile {
  text: string
  root: YamlNode
  /** Keys that stand twice in one map: the second place. */
  duplicates: { key: string; line: number; first: number }[]
}

const MAX_NODES = 50_000
const MAX_DEPTH = 64

/**
 * A YAML file as a tree with places. Bounded in nodes (aliases counted as often as they are used) and in depth.
 * Throws Malformed, with the line, for what no reader of YAML takes.
 */
export function parseYaml(text: string): YamlFile {
  checkNesting(text)
  const counter = new LineCounter()
  let document: Document.Parsed
  try {
    document = parseDocument(text, { lineCounter: counter, uniqueKeys: false, prettyErrors: false })
  } catch (error) {
    throw new Malformed(`it is not valid YAML: ${firstLine(error)}`)
  }
  const [error] = document.errors
  const lineOf = (offset: number) => Math.max(1, counter.linePos(offset).line)
  if (error) throw new Malformed(`it is not valid YAML: ${firstLine(error)}`, lineOf(error.pos[0]))
  return new Reader(text, lineOf).read(document.contents)
}

/** Deep nesting would cost the parser its stack: what opens too many brackets is refused before. */
function checkNesting(text: string): void {
  let depth = 0
  let line = 1
  for (const character of text) {
    if (character === '\n') line++
    else if (character === '[' || character === '{') depth++
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1)
    if (depth > 8 * MAX_DEPTH) throw new Malformed('it is nested too deeply', line)
  }
}

class Reader {
  private nodes = 0
  private readonly anchors = new Map<string, Node>()
  private readonly open = new Set<Node>()
  private readonly duplicates: YamlFile['duplicates'] = []

  constructor(
    private readonly text: string,
    private readonly lineOf: (offset: number) => number,
  ) {}

  read(contents: ParsedNode | null): YamlFile {
    return { text: this.text, root: this.node(contents, undefined, 0), duplicates: this.duplicates }
  }

  private node(node: Node | null, keyStart: number | undefined, depth: number): YamlNode {
    const [start = keyStart ?? 0, end = start] = node?.range ?? []
    const line = this.lineOf(keyStart ?? start)
    if (++this.nodes > MAX_NODES) throw new Malformed('it has too many parts', line)
    if (depth > MAX_DEPTH) throw new Malformed('it is nested too deeply', line)
    if (isAlias(node)) {
      const target = this.anchors.get(node.source)
      if (!target) throw new Malformed(`"*${node.source}" stands for nothing`, line)
      if (this.open.has(target)) throw new Malformed(`"*${node.source}" is in what it stands for`, line)
      return { ...this.node(target, undefined, depth + 1), line, start, end, keyStart }
    }
    const made: YamlNode = {
      kind: 'scalar',
      line,
      start,
      end,
      keyStart,
      flow: false,
      entries: new Map(),
      items: [],
    }
    if (node === null) return { ...made, value: null }
    if ('anchor' in node && typeof node.anchor === 'string') this.anchors.set(node.anchor, node)
    this.open.add(node)
    if (isMap(node)) this.fillMap(node.items, made, depth, node.flow === true)
    else if (isSeq(node)) this.fillList(node.items, made, depth, node.flow === true)
    else if (isScalar(node)) {
      made.value = scalarOf(node.value)
      if (node.tag && !node.tag.startsWith('tag:yaml.org')) made.tag = node.tag
    }
    this.open.delete(node)
    return made
  }

  private fillMap(items: readonly unknown[], into: YamlNode, depth: number, flow: boolean): void {
    into.kind = 'map'
    into.flow = flow
    for (const pair of items) {
      if (!isPair(pair)) continue
      const { key, value } = pair as { key: Node | null; value: Node | null }
      const name = isScalar(key)
        ? String(key.value)
        : this.text.slice(...(key?.range ?? [0, 0])).slice(0, 100)
      const child = this.node(value, key?.range?.[0], depth + 1)
      const known = into.entries.get(name)
      if (known) this.duplicates.push({ key: name, line: child.line, first: known.line })
      into.entries.set(name, child)
    }
  }

  private fillList(items: readonly unknown[], into: YamlNode, depth: number, flow: boolean): void {
    into.kind = 'list'
    into.flow = flow
    for (const item of items) into.items.push(this.node(item as Node | null, undefined, depth + 1))
  }
}

function scalarOf(value: unknown): YamlScalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  return value === null || value === undefined ? null : String(value)
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('\n')[0] ?? '').slice(0, 200)
}

/** The part at a path of keys, and of indices of lists; undefined where there is none. */
export function nodeAt(root: YamlNode, path: readonly string[]): YamlNode | undefined {
  let node: YamlNode | undefined = root
  for (const key of path) node = node?.kind === 'list' ? node.items[Number(key)] : node?.entries.get(key)
  return node
}

/** Every leaf and every empty map or list, with its path. */
export function* leavesOf(
  node: YamlNode,
  path: string[] = [],
): Generator<{ path: string[]; node: YamlNode }> {
  if (node.kind === 'map' && node.entries.size > 0) {
    for (const [key, child] of node.entries) yield* leavesOf(child, [...path, key])
  } else if (node.kind === 'list' && node.items.length > 0) {
    for (const [index, child] of node.items.entries()) yield* leavesOf(child, [...path, String(index)])
  } else yield { path, node }
}
