import { openSync, writeSync } from 'node:fs'

/** Where messages go: errors always, the rest with -v or -d, everything into the file of -l. All on stderr. */
export class Output {
  failed = false
  #file: number | undefined

  constructor(
    readonly verbose: boolean,
    readonly show: (text: string) => void = (text) => {
      writeSync(2, text)
    },
    /** What scripts and mailers say is shown like the rest, where standard output belongs to somebody else. */
    readonly captures = false,
  ) {}

  get fileDescriptor(): number | undefined {
    return this.#file
  }

  logTo(path: string): void {
    this.#file = openSync(path, 'w', 0o640)
  }

  debug = (message: string): void => {
    this.#write(`${message}\n`, this.verbose)
  }

  warning = (message: string): void => {
    this.#write(`warning: ${message}\n`, true)
  }

  /** An error makes the run fail. */
  error = (message: string): void => {
    this.failed = true
    this.complaint(message)
  }

  /** Looks like an error and does not change the exit code. */
  complaint = (message: string): void => {
    this.#write(`error: ${message}\n`, true)
  }

  #write(text: string, shown: boolean): void {
    if (shown) this.show(text)
    if (this.#file !== undefined) writeSync(this.#file, text)
  }
}
