import { nodeAt, type YamlFile, type YamlNode } from './yaml.ts'

/** One service of a Compose file, as far as it matters for how a program is configured. */
export interface ComposeService {
  name: string
  path: string
  line: number
  image: { text: string; line: number } | undefined
  /** Values as in the file: `${NAME}` is not yet replaced; undefined means taken over from who starts it. */
  environment: ComposeEntry[]
  labels: ComposeEntry[]
  /** Written as a list of NAME=value, with this many blanks in front. */
  labelStyle: { list: boolean; flow: boolean; indent: number }
  environmentFiles: { path: string; line: number; required: boolean }[]
  /** Words of `command`. */
  command: { text: string; line: number }[]
  ports: { text: string; line: number }[]
  /** What is mounted from where: paths of the host, or names of volumes. */
  mounts: { source: string; target: string }[]
}

export interface ComposeEntry {
  name: string
  value: string | undefined
  line: number
  /** NAME=value in a list, or a map, of lines or in braces. */
  style: 'list' | 'map' | 'flow'
}

const MAX_SERVICES = 500

/** Pure: the services of a Compose file. What has another form than it should is left out. */
export function composeServices(path: string, file: YamlFile): ComposeService[] {
  const services = nodeAt(file.root, ['services'])
  return [...(services?.entries ?? [])].slice(0, MAX_SERVICES).map(([name, node]) => ({
    name,
    path,
    line: node.line,
    image: textOf(nodeAt(node, ['image'])),
    environment: entriesOf(nodeAt(node, ['environment'])),
    labels: entriesOf(nodeAt(node, ['labels'])),
    labelStyle: styleOf(file, nodeAt(node, ['labels'])),
    environmentFiles: environmentFiles(nodeAt(node, ['env_file'])),
    command: commandWords(nodeAt(node, ['command'])),
    ports: (nodeAt(node, ['ports'])?.items ?? []).flatMap((port) => publishedPort(port)),
    mounts: (nodeAt(node, ['volumes'])?.items ?? []).flatMap((mount) => mountOf(mount)),
  }))
}

function textOf(node: YamlNode | undefined): { text: string; line: number } | undefined {
  if (node?.kind !== 'scalar' || node.value === null || node.value === undefined) return undefined
  return { text: String(node.value), line: node.line }
}

function styleOf(file: YamlFile, node: YamlNode | undefined): ComposeService['labelStyle'] {
  const first = node?.kind === 'list' ? node.items[0] : [...(node?.entries.values() ?? [])][0]
  const offset = first?.keyStart ?? first?.start ?? 0
  const column = offset - (file.text.lastIndexOf('\n', offset - 1) + 1)
  // Of an element its dash stands two places before it.
  const list = node?.kind === 'list'
  return { list, flow: node?.flow ?? false, indent: Math.max(0, list ? column - 2 : column) }
}

/** A map, or a list of NAME=value. */
function entriesOf(node: YamlNode | undefined): ComposeEntry[] {
  if (node?.kind === 'map') {
    return [...node.entries].map(([name, child]) => ({
      name,
      value: textOf(child)?.text,
      line: child.line,
      style: node.flow ? ('flow' as const) : ('map' as const),
    }))
  }
  return (node?.items ?? []).flatMap((item): ComposeEntry[] => {
    const { text, line } = textOf(item) ?? {}
    if (text === undefined || line === undefined) return []
    const equals = text.indexOf('=')
    if (equals < 0) return [{ name: text, value: undefined, line, style: 'list' }]
    return [{ name: text.slice(0, equals), value: text.slice(equals + 1), line, style: 'list' }]
  })
}

function environmentFiles(node: YamlNode | undefined): ComposeService['environmentFiles'] {
  const items = node?.kind === 'list' ? node.items : node ? [node] : []
  return items.flatMap((item) => {
    const path = textOf(item.kind === 'map' ? nodeAt(item, ['path']) : item)
    const required = nodeAt(item, ['required'])?.value !== false
    return path ? [{ path: path.text, line: path.line, required }] : []
  })
}

function commandWords(node: YamlNode | undefined): { text: string; line: number }[] {
  if (node?.kind === 'list') return node.items.flatMap((item) => textOf(item) ?? [])
  const { text, line } = textOf(node) ?? {}
  if (text === undefined || line === undefined) return []
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => ({
    text: match[1] ?? match[2] ?? match[3] ?? '',
    line,
  }))
}

function publishedPort(node: YamlNode): { text: string; line: number }[] {
  if (node.kind !== 'map') return textOf(node) ? [{ text: String(node.value), line: node.line }] : []
  const part = (key: string) => textOf(nodeAt(node, [key]))?.text
  const [address, published, target] = [part('host_ip'), part('published'), part('target')]
  if (published === undefined && target === undefined) return []
  const bracketed = address?.includes(':') ? `[${address}]` : address
  return [
    {
      text: [bracketed, published ?? '', target ?? ''].filter((it) => it !== undefined).join(':'),
      line: node.line,
    },
  ]
}

function mountOf(node: YamlNode): { source: string; target: string }[] {
  if (node.kind === 'map') {
    const [source, target] = ['source', 'target'].map((key) => textOf(nodeAt(node, [key]))?.text)
    return source !== undefined && target !== undefined ? [{ source, target }] : []
  }
  const [source, target] = (textOf(node)?.text ?? '').split(':')
  return source && target ? [{ source, target }] : []
}

/** The path on the host of a path in a container; undefined where it lies in the image or in a volume. */
export function pathOnHost({ mounts, path: composePath }: ComposeService, path: string): string | undefined {
  const directory = composePath.slice(0, Math.max(1, composePath.lastIndexOf('/')))
  const [mount] = mounts
    .filter(({ target }) => path === target || path.startsWith(`${target.replace(/\/$/, '')}/`))
    .toSorted((a, b) => b.target.length - a.target.length)
  if (!mount || !/^[./]/.test(mount.source)) return undefined
  const source = mount.source.startsWith('/')
    ? mount.source
    : `${directory}/${mount.source.replace(/^\.\//, '')}`
  return source + path.slice(mount.target.replace(/\/$/, '').length)
}

/** Where the host listens for a port of a container: "127.0.0.1:8081:8081/tcp" → 127.0.0.1, 8081. */
export function hostSide(
  port: string,
): { address: string; hostPort: string; containerPort: string } | undefined {
  const plain = port.replace(/\/(tcp|udp|sctp)$/, '')
  const bracketed = /^\[([^\]]+)\]:([\d-]*):([\d-]+)$/.exec(plain)
  if (bracketed) {
    return { address: bracketed[1] ?? '', hostPort: bracketed[2] ?? '', containerPort: bracketed[3] ?? '' }
  }
  const parts = plain.split(':')
  const containerPort = parts.at(-1) ?? ''
  if (!/^[\d-]+$/.test(containerPort)) return undefined
  if (parts.length === 1) return { address: '', hostPort: '', containerPort }
  return { address: parts.slice(0, -2).join(':'), hostPort: parts.at(-2) ?? '', containerPort }
}
