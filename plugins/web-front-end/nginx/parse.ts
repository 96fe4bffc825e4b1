/** One directive of a configuration of nginx, with its place; with a block when it has one. */
export interface Directive {
  name: string
  /** As nginx has them: quotes and escapes are resolved, variables are not. */
  words: string[]
  path: string
  /** Where it begins. */
  line: number
  block?: Directive[] | undefined
}

/** What nginx would refuse to start with. */
export class NginxProblem extends Error {
  override readonly name = 'NginxProblem'

  constructor(
    readonly path: string,
    readonly line: number,
    readonly problem: string,
  ) {
    super(`${path}:${line}: ${problem}`)
  }
}

const MAX_DEPTH = 64
const SPACE = ' \t\r\n'
const ESCAPES: Record<string, string> = { '"': '"', "'": "'", '\\': '\\', t: '\t', r: '\r', n: '\n' }

/**
 * Reads one file, character by character as nginx reads it (ngx_conf_file.c): where a word ends, what a quote or a
 * backslash does, that `${name}` opens no block. `include` is left as it stands. Pure; throws NginxProblem.
 */
export function parseNginx(path: string, text: string): Directive[] {
  return new Parser(path, text).parse()
}

type End = ';' | '{' | '}' | 'end'

class Parser {
  #at = 0
  #line = 1

  constructor(
    readonly path: string,
    readonly text: string,
  ) {}

  parse(): Directive[] {
    return this.#block(0)
  }

  #block(depth: number): Directive[] {
    const directives: Directive[] = []
    for (;;) {
      const { words, line, end } = this.#statement()
      const [name, ...rest] = words
      if (end === 'end') {
        if (depth > 0) throw this.#problem('unexpected end of file, expecting "}"')
        return directives
      }
      if (end === '}') {
        if (depth === 0) throw this.#problem('unexpected "}"')
        return directives
      }
      if (name === undefined) throw this.#problem(`unexpected "${end}"`)
      const directive: Directive = { name, words: rest, path: this.path, line }
      if (end === '{') {
        if (depth >= MAX_DEPTH) throw this.#problem(`blocks are nested deeper than ${MAX_DEPTH}`)
        if (name.endsWith('_by_lua_block')) this.#skipLua()
        else directive.block = this.#block(depth + 1)
      }
      directives.push(directive)
    }
  }

  /** Words up to what ends them, which is consumed. */
  #statement(): { words: string[]; line: number; end: End } {
    const words: string[] = []
    let line = this.#line
    for (;;) {
      this.#skipSpace()
      const character = this.text[this.#at]
      if (words.length === 0) line = this.#line
      if (character === undefined) {
        if (words.length > 0) throw this.#problem('unexpected end of file, expecting ";" or "}"')
        return { words, line, end: 'end' }
      }
      if (character === ';' || character === '{' || character === '}') {
        if (character === '}' && words.length > 0) throw this.#problem('unexpected "}"')
        this.#at++
        return { words, line, end: character }
      }
      words.push(character === '"' || character === "'" ? this.#quoted(character) : this.#plain())
    }
  }

  #skipSpace(): void {
    for (; ; this.#at++) {
      const character = this.text[this.#at] ?? ''
      if (character === '\n') this.#line++
      else if (character === '#') {
        const end = this.text.indexOf('\n', this.#at)
        this.#at = (end < 0 ? this.text.length : end) - 1
      } else if (character === '' || !SPACE.includes(character)) return
    }
  }

  #plain(): string {
    let [word, isVariable] = ['', false]
    for (; ; this.#at++) {
      const character = this.text[this.#at]
      if (character === undefined) throw this.#problem('unexpected end of file, expecting ";" or "}"')
      if (character === '{' && isVariable) {
        word += character
        continue
      }
      isVariable = character === '$'
      if (character === '\\') word += this.#escaped()
      else if (character === ';' || character === '{' || SPACE.includes(character)) return word
      else word += character
    }
  }

  #quoted(quote: string): string {
    let word = ''
    for (this.#at++; ; this.#at++) {
      const character = this.text[this.#at]
      if (character === undefined) throw this.#problem('unexpected end of file, expecting ";" or "}"')
      if (character === '\n') this.#line++
      if (character === quote) break
      word += character === '\\' ? this.#escaped() : character
    }
    this.#at++
    const next = this.text[this.#at] ?? ''
    if (next !== '' && !`${SPACE};{)`.includes(next)) throw this.#problem(`unexpected "${next}"`)
    return word
  }

  /** A backslash and what follows it; leaves the place at the latter. */
  #escaped(): string {
    const next = this.text[++this.#at] ?? ''
    if (next === '\n') this.#line++
    return ESCAPES[next] ?? `\\${next}`
  }

  /** A block of Lua ends at its brace; those in strings and comments do not count. */
  #skipLua(): void {
    const token = /--\[(=*)\[|--[^\n]*|\[(=*)\[|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|[{}\n]/g
    token.lastIndex = this.#at
    for (let depth = 1; depth > 0; ) {
      const match = token.exec(this.text)
      if (!match) throw this.#problem('unexpected end of file, expecting "}"')
      const [found, ofComment, ofString] = match
      const level = ofComment ?? ofString
      if (level !== undefined) {
        const close = this.text.indexOf(`]${level}]`, token.lastIndex)
        token.lastIndex = close < 0 ? this.text.length : close
      } else if (found === '{') depth++
      else if (found === '}') depth--
    }
    this.#line += this.text.slice(this.#at, token.lastIndex).split('\n').length - 1
    this.#at = token.lastIndex
  }

  #problem(problem: string): NginxProblem {
    return new NginxProblem(this.path, this.#line, problem)
  }
}
