import { type Directive, NginxProblem, parseNginx } from './parse.ts'

export interface SourceFile {
  path: string
  text: string
}

const MAX_DEPTH = 16
const MAX_FILES = 5000

/** A whole configuration, every `include` replaced by what it leads to. */
export interface Configuration {
  directives: Directive[]
  /** As `nginx -T` shows them: each once, in the order of the first reading. */
  files: SourceFile[]
}

/**
 * Reads a configuration with all that it includes. `files` gives what matches a path or pattern, in the order of the
 * names' bytes, and throws where something is there and cannot be read. Pure; throws NginxProblem.
 */
export function readConfiguration(main: SourceFile, files: (pattern: string) => SourceFile[]): Configuration {
  const seen = new Map<string, SourceFile>()
  let count = 0
  // Relative to the directory of the main file, wherever the `include` stands.
  const base = main.path.slice(0, main.path.lastIndexOf('/'))
  const read = (file: SourceFile, depth: number): Directive[] => {
    seen.set(file.path, seen.get(file.path) ?? file)
    return expand(parseNginx(file.path, file.text), depth)
  }
  const expand = (directives: Directive[], depth: number): Directive[] =>
    directives.flatMap((directive): Directive[] => {
      const { name, words, block, path, line } = directive
      if (block) return [{ ...directive, block: expand(block, depth) }]
      const [pattern] = words
      if (name !== 'include' || pattern === undefined) return [directive]
      if (depth >= MAX_DEPTH) throw new NginxProblem(path, line, `files include each other ${MAX_DEPTH} deep`)
      const found = files(pattern.startsWith('/') ? pattern : `${base}/${pattern}`)
      if (found.length === 0 && !/[*?[]/.test(pattern)) {
        throw new NginxProblem(path, line, `the included file "${pattern}" does not exist`)
      }
      count += found.length
      if (count > MAX_FILES) throw new NginxProblem(path, line, `more than ${MAX_FILES} files are included`)
      return found.flatMap((file) => read(file, depth + 1))
    })
  return { directives: read(main, 0), files: [...seen.values()] }
}
