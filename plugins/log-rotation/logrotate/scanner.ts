/** Reads a configuration from left to right; knows the line it is on. Pure. */
export class Scanner {
  #at = 0
  #line = 1

  constructor(readonly text: string) {}

  get line(): number {
    return this.#line
  }

  get atEnd(): boolean {
    return this.#at >= this.text.length
  }

  /** The next character, or '' at the end. */
  peek(): string {
    return this.text[this.#at] ?? ''
  }

  next(): string {
    const character = this.peek()
    if (character === '\n') this.#line++
    this.#at++
    return character
  }

  skipBlanks(): void {
    while (this.peek() === ' ' || this.peek() === '\t') this.#at++
  }

  skipSpace(): void {
    while (!this.atEnd && /\s/.test(this.peek())) this.next()
  }

  /** The rest of the line, without its end. The line end itself is left. */
  restOfLine(): string {
    const end = this.text.indexOf('\n', this.#at)
    const rest = this.text.slice(this.#at, end < 0 ? undefined : end)
    this.#at += rest.length
    return rest
  }

  /** Letters from here on: the name of a directive. */
  word(): string {
    const word = /^[A-Za-z]*/.exec(this.text.slice(this.#at, this.#at + 64))?.[0] ?? ''
    this.#at += word.length
    return word
  }

  /** All up to the `{` that opens a block, quotes and escapes respected; undefined when there is none. */
  untilBrace(): string | undefined {
    const from = this.#at
    let quote = ''
    while (!this.atEnd) {
      const character = this.peek()
      if (character === '\\') this.next()
      else if (quote) quote = character === quote ? '' : quote
      else if (character === '"' || character === "'") quote = character
      else if (character === '{' && !this.#isAlternatives()) return this.text.slice(from, this.#at)
      this.next()
    }
    return undefined
  }

  /** `name{a,b}` is a part of a name; a block is opened by a brace that stands for itself. */
  #isAlternatives(): boolean {
    return (
      /\S/.test(this.text[this.#at - 1] ?? ' ') &&
      /^\{[^\s{}]*,[^\s{}]*\}/.test(this.text.slice(this.#at, this.#at + 1024))
    )
  }

  /** Lines of a script, up to the line that says only `endscript`; undefined when there is none. */
  untilEndscript(): string | undefined {
    const from = this.#at
    while (!this.atEnd) {
      const start = this.#at
      const line = this.restOfLine()
      if (line.trim() === 'endscript') return this.text.slice(from, start)
      if (!this.atEnd) this.next()
    }
    return undefined
  }

  /** To behind the `}` that ends a block in error; scripts may hold braces of their own. False: there is none. */
  skipBlock(isScript: (word: string) => boolean): boolean {
    while (!this.atEnd) {
      const line = this.restOfLine()
      if (isScript(line.trim())) this.untilEndscript()
      if (line.trim().startsWith('}')) return true
      if (!this.atEnd) this.next()
    }
    return false
  }
}

/** Words of a line by the rules of a shell: ', " and \ are understood. Undefined when a quote is left open. */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (quote) {
      if (character === quote) quote = ''
      else if (character === '\\' && text[index + 1] !== undefined && '"\'\\'.includes(text[index + 1] ?? ''))
        word += text[++index] ?? ''
      else word += character
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word ??= ''
      if (character === '"' || character === "'") quote = character
      else if (character === '\\') word += text[++index] ?? ''
      else word += character
    }
  }
  if (quote) return undefined
  return word === undefined ? words : [...words, word]
}
