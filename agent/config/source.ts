import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml'
import { UserError } from '../lib/errors.ts'
import type { ConfigFiles } from './files.ts'
import type { Problem } from './problem.ts'

const MAX_NODES = 200_000

export interface Position {
  file: string
  line: number
  column: number
}

export type KeyPath = (string | number)[]

/** The configuration as written, from all its files, and where each part of it stands. */
export interface Source {
  value: Record<string, unknown>
  files: string[]
  documents: { file: string; document: Document.Parsed; lines: LineCounter }[]
  /** Position of a key path, or of the nearest thing around it. */
  locate(path: KeyPath): Position
  problems: Problem[]
}

/**
 * Joins the files of a configuration: maps are joined, lists are appended, and a setting that stands in two
 * files is a problem.
 */
export function readSource({ path, files, problems }: ConfigFiles): Source {
  const positions = new Map<string, Position>()
  const source: Source = {
    value: {},
    files: files.map((file) => file.path),
    documents: [],
    problems: [...problems],
    locate: (keys) => locate(positions, keys, path),
  }
  for (const { path: file, text } of files) readDocument(file, text, source, positions)
  return source
}

function readDocument(file: string, text: string, source: Source, positions: Map<string, Position>): void {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  source.documents.push({ file, document, lines })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  for (const error of document.errors) {
    source.problems.push({ ...at(error.pos[0]), keyPath: '', message: `not valid YAML: ${error.message}` })
  }
  if (document.errors.length > 0 || isNothing(document.contents)) return
  if (!isMap(document.contents)) {
    source.problems.push({ ...at(0), keyPath: '', message: 'wanted a map of settings at the top' })
    return
  }
  let nodes = 0
  /** By name, as far as read; and those that are being read, which an alias in them cannot mean. */
  const anchors = new Map<string, Node>()
  const open = new Set<unknown>()
  const resolve = (alias: Alias, keys: KeyPath): Node | undefined => {
    const node = anchors.get(alias.source)
    if (node && !open.has(node)) return node
    const position = at(alias.range?.[0] ?? 0)
    source.problems.push({
      ...position,
      keyPath: keys.join('.'),
      message: `"*${alias.source}" is in what it stands for`,
    })
    return undefined
  }
  const convert = (node: unknown, keys: KeyPath, into: unknown): unknown => {
    if (++nodes > MAX_NODES)
      throw new UserError(`Cannot read the configuration "${file}": it has too many nodes`)
    const range = (node as { range?: [number, number, number] | null } | null)?.range
    const key = JSON.stringify(keys)
    if (range && !positions.has(key)) positions.set(key, at(range[0]))
    if (isAlias(node)) return convert(resolve(node, keys), keys, into)
    if (isNode(node) && node.anchor) anchors.set(node.anchor, node)
    open.add(node)
    const value = convertPlain(node, keys, into)
    open.delete(node)
    return value
  }
  const convertPlain = (node: unknown, keys: KeyPath, into: unknown): unknown => {
    if (isMap(node)) {
      const target = isRecord(into) ? into : {}
      for (const { key: keyNode, value } of node.items) {
        const name = isScalar(keyNode) ? String(keyNode.value) : String(keyNode)
        const path = [...keys, name]
        const keyRange = (keyNode as { range?: [number, number, number] | null }).range
        const position = keyRange ? at(keyRange[0]) : at(0)
        const existing = Object.hasOwn(target, name) ? target[name] : undefined
        if (existing !== undefined && !canJoin(existing, value)) {
          const first = locate(positions, path, file)
          source.problems.push({
            ...position,
            keyPath: path.join('.'),
            message: `it is set already in ${first.file}:${first.line}`,
          })
          continue
        }
        if (!positions.has(JSON.stringify(path))) positions.set(JSON.stringify(path), position)
        Object.defineProperty(target, name, {
          value: convert(value, path, existing),
          enumerable: true,
          configurable: true,
          writable: true,
        })
      }
      return target
    }
    if (isSeq(node)) {
      const target = Array.isArray(into) ? into : []
      for (const item of node.items) target.push(convert(item, [...keys, target.length], undefined))
      return target
    }
    return isScalar(node) ? node.value : null
  }
  convert(document.contents, [], source.value)
}

function isNothing(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null)
}

function canJoin(existing: unknown, node: unknown): boolean {
  return (isRecord(existing) && isMap(node)) || (Array.isArray(existing) && isSeq(node))
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function locate(positions: Map<string, Position>, keys: KeyPath, file: string): Position {
  for (let length = keys.length; length >= 0; length--) {
    const found = positions.get(JSON.stringify(keys.slice(0, length)))
    if (found) return found
  }
  return { file, line: 1, column: 1 }
}
