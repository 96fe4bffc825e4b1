import { DIRECTIVES, isScriptName, leniently, type Place } from './directives.ts'
import type { AccountNumbers } from './ownership.ts'
import { DirectiveProblem } from './problem.ts'
import { Reader } from './reader.ts'
import { type Criterion, type LogSet, type ScriptName, type Settings, TABOO_PATTERNS } from './settings.ts'
import { splitWords } from './words.ts'

/** What outlives one file: later files see the defaults, the taboos and the sets of those before. */
export interface Configuration {
  defaults: Settings
  sets: LogSet[]
  /** Which set a log belongs to. */
  owners: Map<string, LogSet>
  /** Names that match are left out of an included directory. */
  taboo: { patterns: string[] }
  /** The set whose block is being read, for files that are included into it. */
  set?: LogSet
}

/** What the parser asks of the machine. */
export interface Surroundings extends AccountNumbers {
  /** Paths that match; the pattern itself when none does. Undefined paths: some directory could not be read. */
  glob(pattern: string): { paths: string[] } | { failure: string }
  isDirectory(path: string): boolean
  isPrintable(text: string): boolean
  /** Reads a further file or directory into the configuration; false when it has errors. */
  include(path: string, configuration: Configuration): boolean
  /** Looks at, or makes, the olddir of a set; false when it is not to be used, which it has told. */
  verifyOldDirectory(set: LogSet, place: string): boolean
  /** Not deeper. */
  mayInclude: boolean
  error(message: string): void
  warning(message: string): void
  debug(message: string): void
}

const MAX_PATTERN_BYTES = 2048

export function startConfiguration(defaults: Settings): Configuration {
  const taboo = { patterns: [...TABOO_PATTERNS] }
  return { defaults: { ...defaults }, sets: [], owners: new Map(), taboo }
}

/** The logs of a set are free for others. */
export function disown({ owners }: Configuration, set: LogSet): void {
  for (const path of set.files) owners.delete(path)
  set.files = []
}

/**
 * Reads one file into the configuration, character by character as logrotate does, with the same view of where a line
 * or a block ends. A block with an error is left out and the rest goes on; an error outside of a block ends the file.
 * Returns whether the file is without errors.
 */
export function parseConfiguration(
  text: string,
  file: string,
  configuration: Configuration,
  around: Surroundings,
): boolean {
  return new Parser(text, file, configuration, around).parse()
}

class Parser implements Place {
  readonly #reader: Reader
  #line = 1
  #mode: 'items' | 'script' | 'behind-block' | 'error' = 'items'
  #skipsLine = false
  #skipsBlock = false
  #set: LogSet | undefined
  #isSetOpen = false
  #script: { name: ScriptName; from: number } | undefined
  #criterionIsSet = false
  #globFailure: string | undefined
  #clean = true

  constructor(
    text: string,
    readonly file: string,
    readonly configuration: Configuration,
    readonly around: Surroundings,
  ) {
    this.#reader = new Reader(text)
  }

  parse(): boolean {
    const reader = this.#reader
    for (; !reader.atEnd; reader.at++) {
      try {
        this.#step()
        if (reader.character === '\n') this.#line++
      } catch (problem) {
        if (!(problem instanceof DirectiveProblem)) throw problem
        if (problem.message !== '') this.#error(problem.message)
        if (problem.spoils === 'word') continue
        if (problem.spoils === 'file' || !this.#set) return this.#giveUp()
        this.#mode = 'error'
      }
    }
    if (!this.#script) return this.#clean
    this.around.error(`${this.file}:prerotate, postrotate or preremove without endscript`)
    return this.#giveUp()
  }

  #giveUp(): false {
    if (this.#set) this.#dropLastSet()
    return false
  }

  #step(): void {
    if (this.#skipsLine) {
      if (this.#reader.character === '\n') this.#skipsLine = false
    } else if (this.#mode === 'script') this.#readScriptLine()
    else if (this.#mode === 'behind-block') this.#readBehindBlock()
    else if (this.#mode === 'error') this.#startSkipping()
    else if (this.#skipsBlock) this.#skipItem()
    else this.#readItem()
  }

  /** A comment, a directive, the start or the end of a block. */
  #readItem(): void {
    const { character } = this.#reader
    if (character === ' ' || character === '\t' || character === '\n') return
    if (character === '#') this.#skipsLine = true
    else if (/[A-Za-z]/.test(character)) this.#readDirective()
    else if (/["'/~]/.test(character)) this.#openSet()
    else if (character === '}') this.#closeSet()
    else {
      throw new DirectiveProblem('lines must begin with a keyword or a filename (possibly in double quotes)')
    }
  }

  #readDirective(): void {
    const reader = this.#reader
    const keyword = reader.word()
    if (!reader.atEnd && !reader.isAtSpace && reader.character !== '=') {
      const found = reader.character === '\0' ? '0' : `0x${signedByte(reader.character)}`
      throw new DirectiveProblem(`keyword '${keyword}' not properly separated, found ${found}`)
    }
    const settings = this.#set?.settings ?? this.configuration.defaults
    const directive = DIRECTIVES.get(keyword)
    if (directive) directive(settings, this)
    else if (isScriptName(keyword)) {
      settings.scripts = { ...settings.scripts, [keyword]: undefined }
      this.#script = { name: keyword, from: reader.at }
      this.#mode = 'script'
    } else if (keyword === 'tabooext' || keyword === 'taboopat') this.#readTaboo(keyword)
    else if (keyword === 'include') this.#include()
    else {
      this.around.warning(`${this.file}:${this.#line} unknown option '${keyword}' -- ignoring line`)
      if (!reader.atEnd && reader.character !== '\n') this.#skipsLine = true
    }
  }

  #readScriptLine(): void {
    const reader = this.#reader
    if (reader.word() !== 'endscript') {
      this.#skipsLine = reader.character !== '\n'
      return
    }
    this.#mode = 'items'
    if (this.#skipsBlock || !this.#script) return
    const { name, from } = this.#script
    const end = Math.max(reader.text.lastIndexOf('\n', reader.at - 'endscript'.length), from) + 1
    const settings = this.#set?.settings ?? this.configuration.defaults
    const [script] = reader.text.slice(from, end).split('\0', 1)
    settings.scripts = { ...settings.scripts, [name]: script }
    this.#script = undefined
  }

  #readBehindBlock(): void {
    const { character } = this.#reader
    if (character === ' ' || character === '\t') return
    this.#mode = 'items'
    if (character === '\n') return
    this.around.error(`${this.file}:${this.#line}, unexpected text after }`)
    this.#skipsLine = true
  }

  #startSkipping(): void {
    const pattern = this.#set?.pattern
    this.around.error(`found error in ${pattern ? pattern : 'log config'}, skipping`)
    this.#clean = false
    this.#mode = 'items'
    this.#skipsBlock = true
  }

  /** Within a block in error: scripts may hold braces of their own. */
  #skipItem(): void {
    const reader = this.#reader
    if (reader.character === '}') {
      this.#skipsBlock = false
      this.#dropLastSet()
    } else if (isScriptName(reader.word())) this.#mode = 'script'
    else if (!reader.atEnd && reader.character !== '\n') this.#skipsLine = true
  }

  #dropLastSet(): void {
    this.debug('removing last 1 log configs')
    const last = this.configuration.sets.pop()
    if (last) disown(this.configuration, last)
    this.#set = undefined
  }

  #readTaboo(keyword: 'tabooext' | 'taboopat'): void {
    if (this.#set) throw new DirectiveProblem(`${keyword} may not appear inside of log file definition`)
    const value = leniently(() => this.value(keyword))
    const { taboo } = this.configuration
    const words = value.replace(/^\+/, '').split(/[ \t\n\v\f\r]*,[ \t\n\v\f\r]*|[ \t\n\v\f\r]+/)
    const added = words
      .filter((word) => word !== '')
      .map((word) => (keyword === 'tabooext' ? `*${word}` : word))
    taboo.patterns = value.startsWith('+') ? [...taboo.patterns, ...added] : added
  }

  /** Within a block the file speaks about that block only. */
  #include(): void {
    const path = this.atHome(this.value('include'))
    this.debug(`including ${path}`)
    if (!this.around.mayInclude) {
      this.#clean = false
      throw new DirectiveProblem('include nesting too deep', 'word')
    }
    const set = this.#set
    const target = set ? { ...this.configuration, defaults: set.settings, set } : this.configuration
    if (this.around.include(path, target)) return
    this.#clean = false
    throw new DirectiveProblem('', 'word')
  }

  #openSet(): void {
    this.#isSetOpen = false
    if (this.#set) throw new DirectiveProblem('unexpected log filename')
    const { sets, defaults } = this.configuration
    // logrotate does not hand on what `addextension` says outside of a block.
    const set: LogSet = { pattern: '', files: [], settings: { ...defaults, addExtension: undefined } }
    this.#set = set
    sets.push(set)
    const names = this.#reader.names()
    if (typeof names !== 'string') throw new DirectiveProblem(names.problem, 'file')
    this.#isSetOpen = true
    const words = splitWords(names)
    if (!words) throw new DirectiveProblem('error parsing filename', 'file')
    for (const word of words) this.#addLogs(set, word)
    set.pattern = names
  }

  #addLogs(set: LogSet, pattern: string): void {
    const place = `${this.file}:${this.#line}`
    this.#globFailure = undefined
    const bytes = Buffer.byteLength(pattern)
    if (bytes > MAX_PATTERN_BYTES) {
      this.#error(`glob too long (${bytes} > ${MAX_PATTERN_BYTES})`)
      this.#clean = false
      return
    }
    const found = this.around.glob(pattern)
    if ('failure' in found) {
      if (set.settings.missingOk) return
      // Whether the block has `missingok` is not known yet.
      this.#globFailure = `${place} glob failed for ${pattern}: ${found.failure}`
      this.debug(this.#globFailure)
      this.debug(`${place} no matches for glob '${pattern}', skipping`)
      return
    }
    for (const path of found.paths) {
      if (this.around.isDirectory(path)) continue
      const owner = this.configuration.owners.get(path)
      if (!owner) {
        set.files.push(path)
        this.configuration.owners.set(path, set)
      } else if (owner.settings.ignoreDuplicates) {
        this.debug(`${place} ignore duplicate log entry for ${path}`)
      } else {
        this.#error(`duplicate log entry for ${path}`)
        this.#clean = false
        return
      }
    }
  }

  #closeSet(): void {
    const set = this.#set
    if (!set) throw new DirectiveProblem('unexpected }', 'file')
    if (!this.#isSetOpen) throw new DirectiveProblem("unexpected } (missing previous '{')", 'file')
    this.#isSetOpen = false
    const failure = this.#globFailure
    this.#globFailure = undefined
    if (failure !== undefined && !set.settings.missingOk) {
      this.around.error(failure)
      throw new DirectiveProblem('', 'file')
    }
    if (!this.around.verifyOldDirectory(set, `${this.file}:${this.#line}`)) {
      throw new DirectiveProblem('', 'file')
    }
    this.#criterionIsSet = false
    this.#set = undefined
    this.#mode = 'behind-block'
  }

  #error(message: string): void {
    this.around.error(`${this.file}:${this.#line} ${message}`)
  }

  // What directives use.

  rest = (): string => this.#reader.restOfLine()
  value = (name: string): string => this.#reader.value(name)
  valueIfAny = (name: string): string | undefined => {
    try {
      return this.value(name)
    } catch (problem) {
      if (!(problem instanceof DirectiveProblem)) throw problem
      this.#error(problem.message)
      return undefined
    }
  }

  remainder = (): string => this.#reader.text.slice(this.#reader.at)
  userId = (name: string): number | undefined => this.around.userId(name)
  groupId = (name: string): number | undefined => this.around.groupId(name)
  home = (user?: string): string | undefined => this.around.home(user)
  isPrintable = (text: string): boolean => this.around.isPrintable(text)
  debug = (message: string): void => this.around.debug(message)

  warnHere = (message: string): void => this.around.warning(`${this.file}: ${this.#line}: ${message}`)

  atHome = (path: string): string => {
    if (!path.startsWith('~/')) return path
    const home = this.home()
    if (home === undefined) {
      this.around.error('cannot get passwd entry for running user')
      throw new DirectiveProblem('')
    }
    this.debug(`replaced '${path}' with '${home}/${path.slice(2)}'`)
    return `${home}/${path.slice(2)}`
  }

  criterion = (criterion: Criterion): void => {
    const settings = this.#set?.settings ?? this.configuration.defaults
    const before = settings.criterion.kind
    if (this.#criterionIsSet && before !== criterion.kind) {
      this.debug(`note: '${criterion.kind}' overrides previously specified '${before}'`)
    }
    settings.criterion = criterion
    this.#criterionIsSet = true
  }
}

/** The first byte as C prints it with %x: a char there has a sign. */
function signedByte(character: string): string {
  const byte =
    character >= '\udc80' && character <= '\udcff'
      ? character.charCodeAt(0) - 0xdc00
      : (Buffer.from(character)[0] ?? 0)
  return (byte < 0x80 ? byte : 0xffff_ff00 + byte).toString(16)
}
