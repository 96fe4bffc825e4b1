import { DirectiveProblem } from './problem.ts'

const isBlank = (character: string) => character === ' ' || character === '\t'
const SPACE = /[ \t\n\v\f\r]/

/** The text of a configuration and the place in it that is read. Pure. */
export class Reader {
  at = 0

  constructor(readonly text: string) {}

  get character(): string {
    return this.text[this.at] ?? ''
  }

  get atEnd(): boolean {
    return this.at >= this.text.length
  }

  get isAtSpace(): boolean {
    return SPACE.test(this.character)
  }

  skipBlanks(): void {
    while (isBlank(this.character)) this.at++
  }

  /** Letters behind blanks; '' when there is none. Leaves the place behind them. */
  word(): string {
    this.skipBlanks()
    const from = this.at
    while (/[A-Za-z]/.test(this.character)) this.at++
    return this.text.slice(from, this.at)
  }

  /** The rest of the line, without the space at its end. Leaves the place before the line's end. */
  restOfLine(): string {
    const from = this.at
    const end = this.text.indexOf('\n', from)
    this.at = (end < 0 ? this.text.length : end) - 1
    // Space at the very end of a file that lacks its last line end is part of the value, as it is for logrotate.
    const line = end < 0 ? this.text.slice(from) : withoutTrailingSpace(this.text.slice(from, end))
    return line.split('\0', 1)[0] ?? ''
  }

  /** The value of a directive, behind blanks and a `=`. Throws when the line has none. */
  value(name: string): string {
    const from = this.at
    this.skipBlanks()
    if (this.character === '=') {
      this.at++
      this.skipBlanks()
    }
    if (this.character !== '\n') return this.restOfLine()
    this.at = from
    throw new DirectiveProblem(`argument expected after ${name}`)
  }

  /**
   * The names of a block, up to its `{`, at which the place is left. Lines that begin with # are skipped. Returns
   * what is wrong as text.
   */
  names(): string | { problem: string } {
    let names = ''
    let place: 'start' | 'data' | 'comment' = 'start'
    for (; !this.atEnd && this.character !== '\0'; this.at++) {
      const { character } = this
      if (place === 'start') place = character === '#' ? 'comment' : this.isAtSpace ? 'start' : 'data'
      else if (character === '\n') place = 'start'
      if (place === 'comment') continue
      if (character === '}') return { problem: "unexpected } (missing previous '{')" }
      if (character === '{') return withoutTrailingSpace(names)
      names += character
    }
    return { problem: "missing '{' after log files definition" }
  }
}

function withoutTrailingSpace(text: string): string {
  let end = text.length
  while (end > 0 && SPACE.test(text[end - 1] ?? '')) end--
  return text.slice(0, end)
}
