import { type AccountNumbers, DirectiveProblem, FLAGS, OPTIONAL, VALUED } from './directives.ts'
import { Scanner, splitWords } from './scanner.ts'
import { type LogSet, SCRIPTS, type ScriptName, type Settings, TABOO_EXTENSIONS } from './settings.ts'

/** What outlives one file: later files see the defaults, the taboos and the sets of those before. */
export interface Configuration {
  defaults: Settings
  sets: LogSet[]
  tabooExtensions: string[]
  tabooPatterns: string[]
}

/** What the parser asks of the machine. */
export interface Surroundings extends AccountNumbers {
  /** Paths that match; the pattern itself when none does. */
  glob(pattern: string): string[]
  /** Reads a further file or directory into the configuration; false when it has errors. */
  include(path: string, configuration: Configuration): boolean
  /** Looks at, or makes, the olddir of a set. Returns the problem, if there is one. */
  verifyOldDirectory(set: LogSet): string | undefined
  error(message: string): void
  debug(message: string): void
}

export function startConfiguration(defaults: Settings): Configuration {
  return { defaults: { ...defaults }, sets: [], tabooExtensions: TABOO_EXTENSIONS, tabooPatterns: [] }
}

/**
 * Reads one file into the configuration. A block with an error is left out and the rest goes on; an error outside
 * of a block ends the file. Returns whether the file is without errors.
 */
export function parseConfiguration(
  text: string,
  file: string,
  configuration: Configuration,
  around: Surroundings,
): boolean {
  return new Parser(text, file, configuration, around).parse()
}

class Parser {
  readonly #scanner: Scanner
  #set: LogSet | undefined
  #clean = true

  constructor(
    text: string,
    readonly file: string,
    readonly configuration: Configuration,
    readonly around: Surroundings,
  ) {
    this.#scanner = new Scanner(text)
  }

  parse(): boolean {
    for (;;) {
      this.#scanner.skipSpace()
      if (this.#scanner.atEnd) break
      const line = this.#scanner.line
      try {
        this.#readItem()
      } catch (problem) {
        if (!(problem instanceof DirectiveProblem)) throw problem
        this.#complain(problem.message, line)
        if (!this.#set) return false
        this.#skipSet(this.#set)
      }
    }
    if (this.#set) this.#closeSet(this.#set)
    return this.#clean
  }

  /** A comment, a directive, the start or the end of a block. */
  #readItem(): void {
    const next = this.#scanner.peek()
    if (next === '#') this.#scanner.restOfLine()
    else if (next === '}') this.#readEnd()
    else if (/[A-Za-z]/.test(next)) this.#readDirective()
    else if (/[/"'~\\]/.test(next)) this.#openSet()
    else {
      throw new DirectiveProblem('lines must begin with a keyword or a filename (possibly in double quotes)')
    }
  }

  #readDirective(): void {
    const keyword = this.#scanner.word()
    const behind = this.#scanner.peek()
    if (behind !== '' && !/[\s=]/.test(behind)) {
      const code = (behind.codePointAt(0) ?? 0).toString(16)
      throw new DirectiveProblem(`keyword '${keyword}' not properly separated, found 0x${code}`)
    }
    const settings = this.#set?.settings ?? this.configuration.defaults
    const flag = FLAGS[keyword]
    const valued = VALUED[keyword]
    const optional = OPTIONAL[keyword]
    if (flag) flag(settings)
    else if (valued) valued(settings, this.#value(keyword), this.around)
    else if (optional) optional(settings, this.#optionalValue(), this.around)
    else if (isScriptName(keyword)) this.#readScript(keyword)
    else if (keyword === 'include') this.#include(this.#value(keyword))
    else if (keyword === 'tabooext' || keyword === 'taboopat') this.#readTaboo(keyword)
    else if (keyword === 'errors') {
      this.around.debug(
        `${this.file}: ${this.#scanner.line}: the errors directive is deprecated and no longer used.`,
      )
      this.#scanner.restOfLine()
    } else {
      this.around.error(`${this.file}:${this.#scanner.line} unknown option '${keyword}' -- ignoring line`)
      this.#scanner.restOfLine()
    }
  }

  #value(keyword: string): string {
    const value = this.#optionalValue()
    if (value === '') throw new DirectiveProblem(`argument expected after ${keyword}`)
    return value
  }

  #optionalValue(): string {
    this.#scanner.skipBlanks()
    if (this.#scanner.peek() === '=') this.#scanner.next()
    return this.#scanner.restOfLine().trim()
  }

  #readScript(name: ScriptName): void {
    this.#scanner.restOfLine()
    const script = this.#scanner.untilEndscript()
    if (script === undefined) {
      throw new DirectiveProblem('prerotate, postrotate or preremove without endscript')
    }
    const settings = this.#set?.settings ?? this.configuration.defaults
    settings.scripts = { ...settings.scripts, [name]: script }
  }

  #readTaboo(keyword: 'tabooext' | 'taboopat'): void {
    if (this.#set) throw new DirectiveProblem(`${keyword} may not appear inside of log file definition`)
    const value = this.#value(keyword)
    const key = keyword === 'tabooext' ? 'tabooExtensions' : 'tabooPatterns'
    const added = value
      .replace(/^\+/, '')
      .split(/[\s,]+/)
      .filter((word) => word !== '')
    this.configuration[key] = value.startsWith('+') ? [...this.configuration[key], ...added] : added
  }

  /** Within a block the file speaks about that block only. */
  #include(path: string): void {
    const target = this.#set
      ? { ...this.configuration, defaults: this.#set.settings, sets: this.configuration.sets }
      : this.configuration
    const name = splitWords(path)?.[0] ?? path
    const absolute = name.startsWith('~/') ? this.around.home() + name.slice(1) : name
    if (!this.around.include(absolute, target)) this.#clean = false
  }

  #openSet(): void {
    const line = this.#scanner.line
    if (this.#set) throw new DirectiveProblem('unexpected log filename')
    const pattern = this.#scanner.untilBrace()
    if (pattern === undefined) {
      throw new DirectiveProblem("missing '{' after log files definition")
    }
    this.#scanner.next()
    const names = splitWords(withoutComments(pattern))
    const set: LogSet = { pattern: pattern.trim(), files: [], settings: { ...this.configuration.defaults } }
    this.#set = set
    this.configuration.sets.push(set)
    if (!names) throw new DirectiveProblem('error parsing filename')
    const known = new Set(this.configuration.sets.flatMap(({ files }) => files))
    set.files = [...names.flatMap((name) => this.around.glob(name))]
    this.#duplicates = set.files.filter((path, index) => known.has(path) || set.files.indexOf(path) !== index)
    this.#openedAt = line
  }

  #duplicates: string[] = []
  #openedAt = 1

  #readEnd(): void {
    if (!this.#set) throw new DirectiveProblem('unexpected }')
    this.#scanner.next()
    const rest = this.#scanner.restOfLine()
    const line = this.#scanner.line
    if (rest.trim() !== '') this.around.error(`${this.file}:${line}, unexpected text after }`)
    this.#closeSet(this.#set)
  }

  #closeSet(set: LogSet): void {
    this.#set = undefined
    this.#settleDuplicates(set)
    const problem = this.around.verifyOldDirectory(set)
    if (problem === undefined) return
    this.#complain(problem, this.#scanner.line)
    this.#remove(set)
  }

  /** A log belongs to the first set that names it. Without `ignoreduplicates` the later set is not rotated at all. */
  #settleDuplicates(set: LogSet): void {
    const duplicates = this.#duplicates
    this.#duplicates = []
    const [first] = duplicates
    if (first === undefined) return
    if (set.settings.ignoreDuplicates) {
      for (const path of new Set(duplicates)) {
        this.around.debug(`${this.file}:${this.#openedAt} ignore duplicate log entry for ${path}`)
      }
      const others = new Set(
        this.configuration.sets.filter((other) => other !== set).flatMap(({ files }) => files),
      )
      set.files = [...new Set(set.files)].filter((path) => !others.has(path))
      return
    }
    this.#complain(`duplicate log entry for ${first}`, this.#openedAt)
    set.files = set.files.slice(0, set.files.indexOf(first))
  }

  #skipSet(set: LogSet): void {
    this.around.error(`found error in ${set.pattern} , skipping`)
    this.#scanner.skipBlock(isScriptName)
    this.#remove(set)
    this.#set = undefined
    this.#duplicates = []
  }

  #remove(set: LogSet): void {
    this.configuration.sets.splice(this.configuration.sets.indexOf(set), 1)
  }

  #complain(message: string, line: number): void {
    this.around.error(`${this.file}:${line} ${message}`)
    this.#clean = false
  }
}

const isScriptName = (word: string): word is ScriptName => SCRIPTS.some((name) => name === word)

/** Lines that begin with # may stand between the names. */
function withoutComments(pattern: string): string {
  return pattern.replace(/^[ \t]*#.*$/gm, '')
}
