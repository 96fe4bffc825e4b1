import { expect } from 'bun:test'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { reeveBinary } from '../kit/binary.ts'
import { temporaryDirectory } from '../kit/plugin.ts'

interface Rotated {
  log: string
  directives: string
  /** Earlier ones, the oldest first, as the same directives would have named them. */
  earlier: [string, string]
  /** The log keeps its content: each copy is of all that was there. */
  isCopy?: boolean
}

/** Every way to rotate, each with two earlier generations. All need their log to be due once a day. */
const LOGS: Rotated[] = [
  { log: 'plain.log', directives: 'create', earlier: ['plain.log.2', 'plain.log.1'] },
  {
    log: 'packed.log',
    directives: 'create\ncompress\npostrotate\necho "$1 $2" >> @/ran\nendscript',
    earlier: ['packed.log.2.gz', 'packed.log.1.gz'],
  },
  {
    log: 'delayed.log',
    directives: 'create\ncompress\ndelaycompress',
    earlier: ['delayed.log.2.gz', 'delayed.log.1'],
  },
  {
    log: 'dated.log',
    directives: 'create\ncompress\ndateext',
    earlier: ['dated.log-20250101.gz', 'dated.log-20250102.gz'],
  },
  { log: 'cut.log', directives: 'copytruncate', earlier: ['cut.log.2', 'cut.log.1'] },
  {
    log: 'cutpacked.log',
    directives: 'copytruncate\ncompress',
    earlier: ['cutpacked.log.2.gz', 'cutpacked.log.1.gz'],
  },
  {
    log: 'waiting.log',
    directives: 'renamecopy\ncreate\nolddir old',
    earlier: ['old/waiting.log.2', 'old/waiting.log.1'],
  },
  {
    log: 'bare.log',
    directives: 'nocreate\nolddir old\ncompress',
    earlier: ['old/bare.log.2.gz', 'old/bare.log.1.gz'],
  },
  { log: 'copied.log', directives: 'copy', earlier: ['copied.log.2', 'copied.log.1'], isCopy: true },
]

/** Two logs with their scripts in common. */
const SHARED = ['shared-a.log', 'shared-b.log']
const SHARED_BLOCK =
  '@/shared-*.log {\nsharedscripts\ncompress\ncreate\npostrotate\necho shared >> @/ran\nendscript\n' +
  'lastaction\necho last >> @/ran\nendscript\n}\n'

const WITH_EARLIER: Rotated[] = [
  ...LOGS,
  ...SHARED.map((log): Rotated => ({ log, directives: '', earlier: [`${log}.2.gz`, `${log}.1.gz`] })),
]

/** Logs with numbered lines, and the program that rotates them once a day. */
export class DailyLogs implements Disposable {
  private readonly directory
  private readonly written = new Map<string, number>()
  private days = 0

  constructor(parent?: string) {
    this.directory = parent === undefined ? temporaryDirectory('reeve-logrotate') : undefined
    this.path = parent ?? this.directory?.path ?? ''
    mkdirSync(this.at('old'), { mode: 0o755 })
    const blocks = LOGS.map(({ log, directives }) => `@/${log} {\n${directives}\n}\n`).join('')
    const config = `daily\nrotate 9\nmissingok\n${blocks}${SHARED_BLOCK}`
    writeFileSync(this.at('conf'), config.replaceAll('@', this.path), { mode: 0o644 })
    for (const { log, earlier, isCopy } of WITH_EARLIER) {
      for (const name of earlier) {
        const text = this.nextLines(log, 30)
        writeFileSync(this.at(name), name.endsWith('.gz') ? gzipSync(text) : text, { mode: 0o640 })
        if (isCopy) appendFileSync(this.at(log), text, { mode: 0o640 })
      }
    }
    this.write()
    this.nextDay()
  }

  readonly path: string

  at(name: string): string {
    return `${this.path}/${name}`
  }

  private nextLines(log: string, count: number): string {
    const first = this.written.get(log) ?? 0
    this.written.set(log, first + count)
    return Array.from({ length: count }, (_, index) => `${log} ${first + index}\n`).join('')
  }

  /** One log is large enough for the threads. */
  write(): void {
    for (const { log } of WITH_EARLIER) {
      appendFileSync(this.at(log), this.nextLines(log, log === 'packed.log' ? 20_000 : 50), { mode: 0o640 })
    }
  }

  /** As if all logs had been rotated long ago. Archives of today get a name of another day. */
  nextDay(): void {
    const state = WITH_EARLIER.map(({ log }) => `"${this.at(log)}" 2020-1-1-0:0:0\n`).join('')
    writeFileSync(this.at('state'), `logrotate state -- version 2\n${state}`, { mode: 0o600 })
    rmSync(this.at('ran'), { force: true })
    for (const name of readdirSync(this.path)) {
      const match = /^dated\.log-(\d{8})(.*)$/.exec(name)
      if (!match || Number(match[1]) < 20_260_000) continue
      const earlier = this.at(`dated.log-${20_250_200 + this.days}${match[2]}`)
      writeFileSync(earlier, readFileSync(this.at(name)), { mode: 0o640 })
      rmSync(this.at(name))
      utimesSync(earlier, 0, 0)
    }
    this.days++
  }

  /** Rotates, below `tracer` if there is one. */
  run(tracer: string[] = []): { exitCode: number | null; signal: unknown; stderr: string } {
    const argv = [...tracer, reeveBinary(), 'logrotate', '-s', this.at('state'), this.at('conf')]
    const child = Bun.spawnSync(argv, { stdout: 'pipe', stderr: 'pipe' })
    return { exitCode: child.exitCode, signal: child.signalCode ?? null, stderr: String(child.stderr) }
  }

  /** Every line is there once, no more generations than days, and nothing that a cut-off run left. */
  expectWhole(place: string): void {
    for (const { log, earlier, isCopy } of WITH_EARLIER) {
      const generations = this.generationsOf(log)
      const names = generations.map(({ name }) => name)
      const count = { place, log, names, generations: names.length }
      expect(count).toEqual({ ...count, generations: earlier.length + this.days })
      const current = existsSync(this.at(log)) ? readFileSync(this.at(log), 'utf8') : ''
      const texts = isCopy ? [current] : [...generations.map(({ text }) => text), current]
      const lines = texts.join('').split('\n').slice(0, -1)
      const wrong = lines.findIndex((line, index) => line !== `${log} ${index}`)
      expect({ place, log, names, lines: lines.length, wrong }).toEqual({
        place,
        log,
        names,
        lines: this.written.get(log) ?? 0,
        wrong: -1,
      })
    }
    const left = [...readdirSync(this.path), ...readdirSync(this.at('old'))].filter(
      (name) => name.startsWith('.') || /reeve|\.tmp$|\.backup$/.test(name),
    )
    expect({ place, left }).toEqual({ place, left: [] })
    const ran = existsSync(this.at('ran')) ? readFileSync(this.at('ran'), 'utf8').trim().split('\n') : []
    expect({ place, ran: [...new Set(ran)].sort() }).toEqual({
      place,
      ran: [`${this.at('packed.log')} ${this.at('packed.log.1')}`, 'last', 'shared'].sort(),
    })
    const state = readFileSync(this.at('state'), 'utf8')
    expect({ place, due: state.split('\n').filter((line) => line.includes(' 2020-')) }).toEqual({
      place,
      due: [],
    })
  }

  private generationsOf(log: string): { name: string; text: string }[] {
    const all = [...readdirSync(this.path), ...readdirSync(this.at('old')).map((name) => `old/${name}`)]
    const number = (name: string) => Number(/[.-](\d+)(\.gz)?$/.exec(name)?.[1] ?? 0)
    const isDated = log === 'dated.log'
    return all
      .filter((name) => new RegExp(`^(old/)?${log.replace('.', '\\.')}[.-]\\d+(\\.gz)?$`).test(name))
      .sort((a, b) => (isDated ? number(a) - number(b) : number(b) - number(a)))
      .map((name) => {
        const bytes = readFileSync(this.at(name))
        return { name, text: String(name.endsWith('.gz') ? gunzipSync(bytes) : bytes) }
      })
  }

  sizeOf(name: string): number {
    return statSync(this.at(name)).size
  }

  [Symbol.dispose](): void {
    this.directory?.[Symbol.dispose]()
  }
}
