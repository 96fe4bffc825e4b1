import type { Directive } from '../files/parse-unit.ts'
import { splitWords } from '../files/parse-unit.ts'

/** Numbers of asm-generic/signal.h. */
const SIGNALS: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, USR1: 10, USR2: 12, TERM: 15, WINCH: 28 }
/** Without a handler these do nothing (signal(7)). */
const HARMLESS = new Set([28])

/** The signal that a line ExecReload= sends to the main process by kill(1); undefined when it does something else. Pure. */
export function reloadSignal({
  value,
}: Pick<Directive, 'value'>): { name: string; number: number } | undefined {
  const [program = '', ...words] = splitWords(value.replace(/^[-@:+!]+/, ''))
  if (!/(^|\/)kill$/.test(program) || !words.some((word) => /^\$\{?MAINPID\}?$/.test(word))) return undefined
  const text = words.find((word) => /^-/.test(word) && word !== '-s' && word !== '--signal') ?? ''
  const after = words[words.findIndex((word) => word === '-s' || word === '--signal') + 1]
  const isSplit = words.includes('-s') || words.includes('--signal')
  const named = (isSplit ? (after ?? '') : text.replace(/^--signal=|^-/, ''))
    .replace(/^SIG/i, '')
    .toUpperCase()
  const name =
    named === '' ? 'TERM' : (Object.keys(SIGNALS).find((key) => String(SIGNALS[key]) === named) ?? named)
  const number = SIGNALS[name]
  return number === undefined ? undefined : { name, number }
}

/** What a process does with a signal, by the masks in its /proc/PID/status; undefined when they are not there. Pure. */
export function reactionTo(status: string, signal: number): 'handles' | 'ignores' | 'dies' | undefined {
  const mask = (key: string) => {
    const hex = new RegExp(`^${key}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
    return hex === undefined ? undefined : BigInt(`0x${hex}`)
  }
  const [caught, ignored, blocked] = [mask('SigCgt'), mask('SigIgn'), mask('SigBlk')]
  if (caught === undefined || ignored === undefined || blocked === undefined) return undefined
  const bit = 1n << BigInt(signal - 1)
  // A blocked one is taken by signalfd or sigwait.
  if ((caught & bit) !== 0n || (blocked & bit) !== 0n) return 'handles'
  return (ignored & bit) !== 0n || HARMLESS.has(signal) ? 'ignores' : 'dies'
}
