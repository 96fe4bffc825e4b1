import type { Route, Target } from '../site.ts'
import { blocksOf, type Context, namedIn } from './context.ts'
import type { Directive } from './parse.ts'

const PASSES = ['proxy_pass', 'grpc_pass', 'fastcgi_pass', 'uwsgi_pass', 'scgi_pass']
const DEFAULT_PORTS: Record<string, number> = { https: 443, grpcs: 443 }

/** Where a block hands requests on to. `unclear` where a variable decides. */
export function targetsOf(context: Context): Pick<Route, 'targets' | 'unclear'> {
  const targets: Target[] = []
  let unclear: Route['unclear']
  for (const { name, words } of context.directives) {
    if (!PASSES.includes(name)) continue
    for (const text of valuesOf(words[0] ?? '', context)) {
      if (text.includes('$')) unclear ??= unclearOf(name, text)
      else targets.push(...resolve(text, context))
    }
  }
  return { targets, unclear }
}

function unclearOf(name: string, text: string): Route['unclear'] {
  const port = /^(?:\w+:\/\/)?[^/:]*:(\d+)(?:\/|$)/.exec(text)?.[1]
  return {
    // What follows may hold a secret.
    reason: `${name} ${text.replace(/^((?:\w+:\/\/)?[^/?#]*).*$/s, '$1')} is decided by a variable`,
    port: port === undefined ? undefined : Number(port),
  }
}

/** A text with each variable replaced by what `set` or `map` can make of it; one that is not known stays. */
function valuesOf(text: string, context: Context, depth = 0): string[] {
  const [variable, name = ''] = /\$\{?(\w+)\}?/.exec(text) ?? []
  if (variable === undefined || depth > 3) return [text]
  const values = assignedTo(name, context)
  if (values.length === 0) return [text]
  return values.flatMap((value) =>
    valuesOf(
      text.replace(variable, () => value),
      context,
      depth + 1,
    ),
  )
}

function assignedTo(name: string, context: Context): string[] {
  const values: string[] = []
  for (let at: Context | undefined = context; at; at = at.parent) {
    for (const { words } of namedIn(at.directives, 'set')) {
      if (words[0] === `$${name}`) values.push(words[1] ?? '')
    }
    for (const map of blocksOf(at, 'map')) {
      if (map.words[1] !== `$${name}`) continue
      values.push(
        ...map.block.flatMap(({ name: key, words }) => (key === 'hostnames' ? [] : (words[0] ?? []))),
      )
    }
  }
  return values.filter((value) => value !== '')
}

function resolve(text: string, context: Context): Target[] {
  const [, scheme = '', rest = ''] = /^(?:(\w+):\/\/)?(.*)$/s.exec(text) ?? []
  if (rest.startsWith('unix:')) return [{ host: rest.replace(/:(?!\/)[\s\S]*$/, ''), port: 0 }]
  const authority = rest.split('/', 1)[0] ?? ''
  const members = upstreamOf(authority, context)
  if (!members) return [parseTarget(authority, DEFAULT_PORTS[scheme] ?? 80)]
  return members.flatMap(({ words: [address = ''] }) =>
    address.startsWith('unix:') ? [{ host: address, port: 0 }] : [parseTarget(address, 80)],
  )
}

function upstreamOf(name: string, context: Context): Directive[] | undefined {
  for (let at: Context | undefined = context; at; at = at.parent) {
    const upstream = namedIn(at.directives, 'upstream').find(({ words }) => words[0] === name)
    if (upstream?.block) return namedIn(upstream.block, 'server')
  }
  return undefined
}

function parseTarget(authority: string, defaultPort: number): Target {
  const [, host = authority, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(authority) ?? []
  return { host: host.replace(/^\[(.*)\]$/, '$1').toLowerCase(), port: Number(port ?? defaultPort) }
}
