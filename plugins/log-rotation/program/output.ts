import { closeSync, openSync, writeSync } from 'node:fs'
import { errnoOf } from '../../../agent/lib/errors.ts'
import { bytesOf, nameOf } from './bytes.ts'
import { isDiskTrouble, tellsDiskTrouble } from './disk-trouble.ts'

type Level = 'debug' | 'warning' | 'error'

/** What is kept back until its turn has come. */
export class Told {
  readonly parts: (() => void)[] = []
}

/** Where messages go: warnings and errors always, the rest with -v or -d, all into the file of -l or the syslog. */
export class Output {
  /** Something went wrong, so that the exit code is 1. Some errors that are only told do not change it. */
  failed = false
  /** Errors that were the disk's. */
  diskTroubles = 0
  #file: number | undefined
  #log: ((level: Level, text: string) => void) | undefined
  #keeper: Told | undefined

  constructor(
    public verbose: boolean,
    readonly show: (text: string) => void = (text) => writeAll(2, text),
    /** What scripts and mailers say is shown like the rest, where standard output belongs to somebody else. */
    readonly captures = false,
  ) {}

  /** Throws when the file cannot be written. */
  logToFile(path: string): void {
    const before = this.#file
    this.#file = openSync(nameOf(path), 'w', 0o666)
    if (before !== undefined) closeSync(before)
  }

  logTo(log: (level: Level, text: string) => void): void {
    this.#log = log
  }

  debug = (message: string): void => this.#write('debug', `${message}\n`)

  /** A part of a line. */
  debugPart = (text: string): void => this.#write('debug', text)

  warning = (message: string): void => this.#write('warning', `${message}\n`)

  error = (message: string): void => {
    if (tellsDiskTrouble(message)) this.diskTroubles++
    this.#write('error', `${message}\n`)
  }

  /** Of an error whose words are not told. */
  note(cause: unknown): void {
    if (isDiskTrouble(cause)) this.diskTroubles++
  }

  /** As it is. */
  raw = (text: string): void => this.#tell(() => this.show(text))

  /** From now on messages are kept back there; undefined: they are told at once. */
  keepIn(keeper: Told | undefined): void {
    this.#keeper = keeper
  }

  /** Does something whose messages are kept back there, or told at once. */
  keeping<T>(keeper: Told | undefined, act: () => T): T {
    const before = this.#keeper
    this.#keeper = keeper
    try {
      return act()
    } finally {
      this.#keeper = before
    }
  }

  /** Tells what was kept back, whatever is kept back now. */
  release({ parts }: Told): void {
    for (const tell of parts.splice(0)) tell()
  }

  #write(level: Level, text: string): void {
    const line = level === 'debug' ? text : `${level}: ${text}`
    this.#tell(() => {
      if (this.verbose || level !== 'debug') this.show(line)
      if (this.#file !== undefined) writeAll(this.#file, line)
      this.#log?.(level, text)
    })
  }

  #tell(tell: () => void): void {
    if (this.#keeper) this.#keeper.parts.push(tell)
    else tell()
  }
}

/** What cannot be told is no reason to leave logs unrotated. */
export function writeAll(descriptor: number, text: string): void {
  const bytes = bytesOf(text)
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done)
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') return
      Bun.sleepSync(1)
    }
  }
}
