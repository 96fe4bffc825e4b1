import { statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Entry, GlobMatch, GlobOptions } from '../contract/host.ts'
import { compileGlob, type GlobComponent } from '../lib/glob.ts'
import { isMissing, listNames, lookAt, reasonOf } from './files.ts'
import { toSystemPath } from './names.ts'
import { BATCH_ENTRIES } from './walk.ts'

/** How far one alternative of one pattern has matched. */
interface State {
  pattern: number
  components: GlobComponent[]
  index: number
  /** The last step was a plain name of the pattern. */
  named: boolean
  /** Within a `**`: the device on which it began. */
  device: number | undefined
}

/** A directory being searched, by the states that are still to be matched in it. */
interface Frame {
  prefix: string
  states: State[]
  names: string[]
  next: number
}

/** Entries that match a pattern, in tree order. */
export function globEntries(
  root: string,
  pattern: string,
  onBlind: (path: string, reason: string) => void,
): Entry[] {
  return [...matchEntries(root, [pattern], { onBlind })].map((match) => match.entry)
}

/** matchEntries in batches, between which the end of the run's time is noticed. */
export async function* globBatches(
  root: string,
  patterns: string[],
  options: GlobOptions,
): AsyncGenerator<GlobMatch[]> {
  let batch: GlobMatch[] = []
  options.signal?.throwIfAborted()
  for (const match of matchEntries(root, patterns, options)) {
    batch.push(match)
    if (batch.length < BATCH_ENTRIES) continue
    yield batch
    batch = []
    await setImmediate()
    options.signal?.throwIfAborted()
  }
  if (batch.length > 0) yield batch
}

/**
 * Entries that match any of the patterns, each once and in tree order, in one pass over no more directories
 * than the patterns need. A link is followed only where a pattern names it as a directory on the way, and only
 * when it belongs to root or to this process's user: anybody else could lead the search astray.
 */
function* matchEntries(root: string, patterns: string[], options: GlobOptions): Generator<GlobMatch> {
  const search = new Search(root === '/' ? '' : root, options)
  const start = patterns.flatMap((text, pattern) =>
    compileGlob(text).map(
      (components): State => ({ pattern, components, index: 0, named: false, device: undefined }),
    ),
  )
  const top = search.look('/')
  if (!top) return
  const matched = matchesOf(start)
  if (matched.length > 0) yield { entry: top, patterns: matched }
  const frames: Frame[] = [search.open(top, '/', start)]
  for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
    const name = frame.names[frame.next++]
    if (name === undefined) {
      frames.pop()
      continue
    }
    const states = frame.states.flatMap((state) => advance(state, name))
    if (states.length === 0) continue
    const path = frame.prefix + name
    const entry = search.look(path)
    if (!entry) continue
    const matched = matchesOf(states)
    if (matched.length > 0) yield { entry, patterns: matched }
    const below = search.below(entry, states)
    if (below.length > 0) frames.push(search.open(entry, `${path}/`, below))
  }
}

/** The states after a name; `**` also stands for no directory at all, so what follows it is tried as well. */
function advance(state: State, name: string): State[] {
  const component = state.components[state.index]
  if (!component) return []
  const next = { ...state, index: state.index + 1, named: component.kind === 'name', device: undefined }
  if (component.kind === 'name') return component.name === name ? [next] : []
  if (component.kind === 'match') return component.test.test(name) ? [next] : []
  const isLast = next.index === state.components.length
  return isLast ? [state, next] : [state, ...advance(next, name)]
}

/** Numbers of the patterns that are matched in full, in order. */
function matchesOf(states: State[]): number[] {
  const full = states.filter((state) => state.index === state.components.length)
  return [...new Set(full.map((state) => state.pattern))].sort((a, b) => a - b)
}

/** Several `**` in a pattern reach the same state by many ways: without this, their number would grow with depth. */
function distinct(states: State[]): State[] {
  return states.filter((state, position) => {
    const same = (other: State) => other.components === state.components && other.index === state.index
    return states.findIndex(same) === position
  })
}

class Search {
  constructor(
    private readonly base: string,
    private readonly options: GlobOptions,
  ) {}

  look(path: string): Entry | undefined {
    try {
      return lookAt(this.base, path)
    } catch (error) {
      if (!isMissing(error)) this.options.onBlind(path, reasonOf(error))
      return undefined
    }
  }

  /** The states that go on below an entry. */
  below(entry: Entry, states: State[]): State[] {
    const open = states.filter((state) => state.index < state.components.length)
    if (open.length === 0) return []
    if (entry.type === 'symlink') return this.behindLink(entry, open)
    if (entry.type !== 'directory') return []
    const here = open.filter((state) => state.device === undefined || state.device === entry.dev)
    if (here.length < open.length) this.options.onSkip?.(entry.path, 'another file system is mounted there')
    return here
  }

  private behindLink(link: Entry, states: State[]): State[] {
    const named = states.filter((state) => state.named)
    if (named.length === 0) return []
    try {
      if (!statSync(toSystemPath(this.base + link.path)).isDirectory()) return []
    } catch (error) {
      if (!isMissing(error)) this.options.onBlind(link.path, reasonOf(error))
      return []
    }
    if (link.uid === 0 || link.uid === process.geteuid?.()) return named
    const reason = `a symbolic link of user ${link.uid} is not followed: name the directory it leads to`
    this.options.onBlind(link.path, reason)
    return []
  }

  /** Its names, as far as the states need them: where all say a name, the directory is not even listed. */
  open(directory: Entry, prefix: string, incoming: State[]): Frame {
    const states = distinct(incoming).map((state) =>
      state.components[state.index]?.kind === 'directories'
        ? { ...state, named: false, device: state.device ?? directory.dev }
        : state,
    )
    let names = states.flatMap((state) => {
      const component = state.components[state.index]
      return component?.kind === 'name' ? [component.name] : []
    })
    const isListed = states.some((state) => state.components[state.index]?.kind !== 'name')
    try {
      if (isListed) names = listNames(toSystemPath(this.base + directory.path))
    } catch (error) {
      // What is named can still be looked at.
      if (!isMissing(error)) this.options.onBlind(directory.path, reasonOf(error))
    }
    return { prefix, states, names: [...new Set(names)].sort(), next: 0 }
  }
}
