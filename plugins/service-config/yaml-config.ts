import { foldName, nearest } from '../../agent/contract/mod.ts'
import { nodeAt, type YamlFile, type YamlNode } from './read/yaml.ts'
import {
  appendLines,
  type Edit,
  insertAfterLine,
  type Place,
  replaceOnLine,
  replaceValue,
} from './setting.ts'

/** A YAML configuration of a program: its parts by key, with their places and how they are changed. */
export class YamlConfig {
  constructor(
    readonly path: string,
    readonly file: YamlFile,
  ) {}

  /** The part that a dotted key names; undefined where it is missing. */
  at(key: string): YamlNode | undefined {
    return nodeAt(this.file.root, key.split('.'))
  }

  /** Where a key stands, or would: its own line, or that of the section that it belongs to. */
  place(key: string): Place {
    const path = key.split('.')
    for (let length = path.length; length > 0; length--) {
      const node = nodeAt(this.file.root, path.slice(0, length))
      if (node) return { path: this.path, line: node.line }
    }
    return { path: this.path }
  }

  /** The command that gives a key a value, whether it is there or not. Values are written as they are. */
  edit(key: string): Edit {
    return (value) => {
      const path = key.split('.')
      const node = nodeAt(this.file.root, path)
      const name = path.at(-1) ?? ''
      if (node) return this.replace(node, name, value)
      const parent = nodeAt(this.file.root, path.slice(0, -1))
      if (path.length > 1 && parent) return this.insert(parent, `${name}: ${value}`)
      return appendLines(
        this.path,
        path.length > 1 ? [`${path.slice(0, -1).join('.')}:`, `  ${name}: ${value}`] : [`${name}: ${value}`],
      )
    }
  }

  private replace(node: YamlNode, name: string, value: string): string {
    const start = node.keyStart ?? node.start
    const written = this.file.text.slice(start, node.end).trimEnd()
    if (written.includes('\n'))
      return `Write "${name}: ${value}" at ${this.path}:${node.line} instead of what is there`
    // What stands before the colon is kept: a key in quotes stays one.
    const head = /^("[^"]*"|'[^']*'|[^:\s]+)\s*:/.exec(written)?.[0] ?? `${name}:`
    const first = written.slice(head.length).trimStart().charAt(0)
    const extent =
      first === '"'
        ? 'double quotes'
        : first === "'"
          ? 'single quotes'
          : this.isInFlow(node)
            ? 'flow'
            : 'line'
    // Blanks between colon and value are written out: the pattern begins with the value itself.
    const blanks = /^\s*/.exec(written.slice(head.length))?.[0] ?? ''
    return replaceValue({ path: this.path, line: node.line }, head + blanks, extent, `${head} ${value}`)
  }

  /** Whether braces end a value before its line does. */
  private isInFlow(node: YamlNode): boolean {
    const { text } = this.file
    const end = text.indexOf('\n', node.end)
    return /^\s*[,}\]]/.test(text.slice(node.end, end < 0 ? undefined : end))
  }

  private insert(parent: YamlNode, line: string): string {
    const place = { path: this.path, line: parent.line }
    if (parent.flow) return replaceOnLine(place, '{', parent.entries.size > 0 ? `{${line}, ` : `{${line}`)
    const [first] = parent.entries.values()
    const indent = first?.keyStart === undefined ? this.columnOf(parent) + 2 : this.column(first.keyStart)
    return insertAfterLine(place, ' '.repeat(indent) + line)
  }

  private columnOf(node: YamlNode): number {
    return this.column(node.keyStart ?? node.start)
  }

  private column(offset: number): number {
    return offset - (this.file.text.lastIndexOf('\n', offset - 1) + 1)
  }
}

/** A key of the program that is probably meant by one that it does not know; to be put behind a summary. */
export function meant(key: string, known: readonly string[]): string | undefined {
  const exact = known.find((candidate) => foldName(candidate) === foldName(key))
  if (exact) return exact
  const parent = key.slice(0, key.lastIndexOf('.') + 1)
  const near = nearest(
    key.slice(parent.length),
    known
      .filter((it) => it.startsWith(parent) && !it.slice(parent.length).includes('.'))
      .map((it) => it.slice(parent.length)),
  )
  return near === undefined ? undefined : parent + near
}
