import type { Json } from '../contract/report.ts'
import { EXIT } from './command.ts'

/** Codes that begin and end a style (ECMA-48). */
const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const
type Style = keyof typeof STYLES

let colour: boolean | undefined

/** Colour only where a person looks, and did not ask for none (no-color.org). */
function useColour(): boolean {
  colour ??= Boolean(process.stdout.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  return colour
}

export function paint(style: Style, text: string): string {
  if (!useColour()) return text
  const [begin, end] = STYLES[style]
  return `\x1b[${begin}m${text}\x1b[${end}m`
}

let isPrinting = false

export function print(text: string): void {
  // A reader that has seen enough ("reeve runs | head") is no error.
  if (!isPrinting) process.stdout.on('error', () => process.exit(EXIT.clean))
  isPrinting = true
  process.stdout.write(`${text}\n`)
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value as Json, null, 2))
}

/**
 * Columns as wide as their content; on a terminal the last one is cut to fit. Control characters in the
 * cells are made visible: a file name must not act on the terminal.
 */
export function table(
  head: string[],
  rows: string[][],
  paintCell?: (cell: string, column: number) => string,
): string {
  const clean = rows.map((row) => row.map(visible))
  const widths = head.map((name, column) =>
    Math.max(Bun.stringWidth(name), ...clean.map((row) => Bun.stringWidth(row[column] ?? ''))),
  )
  const screen = process.stdout.isTTY ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  const lastWidth = Math.max(20, screen - before)
  const line = (cells: string[], decorate: (cell: string, column: number) => string) =>
    cells
      .map((cell, column) => {
        const isLast = column === head.length - 1
        const shown = isLast && cell.length > lastWidth ? `${cell.slice(0, lastWidth - 1)}…` : cell
        const padding = isLast ? '' : ' '.repeat((widths[column] ?? 0) - Bun.stringWidth(shown) + 2)
        return decorate(shown, column) + padding
      })
      .join('')
      .trimEnd()
  const body = clean.map((row) => line(row, paintCell ?? ((cell) => cell)))
  return [
    line(
      head.map((name) => name.toUpperCase()),
      (cell) => paint('dim', cell),
    ),
    ...body,
  ].join('\n')
}

export function visible(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** "2026-03-01 14:05:09" in local time; "-" for none. */
export function time(milliseconds: number | null): string {
  if (milliseconds === null) return '-'
  const date = new Date(milliseconds)
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

const STATE_STYLES: Record<string, Style> = {
  ok: 'green',
  clean: 'green',
  resolved: 'green',
  warning: 'yellow',
  findings: 'yellow',
  late: 'red',
  blind: 'red',
  failed: 'red',
  timeout: 'red',
  refused: 'red',
  critical: 'red',
  interrupted: 'yellow',
  missed: 'yellow',
  skipped: 'yellow',
  pending: 'dim',
  disabled: 'dim',
}

export function paintState(text: string): string {
  const style = STATE_STYLES[text]
  return style ? paint(style, text) : text
}

/** A line on standard error that is written over; only on a terminal. */
export function progressLine(text: string | null): void {
  if (!process.stderr.isTTY) return
  process.stderr.write(
    text === null ? '\r\x1b[K' : `\r\x1b[K${visible(text).slice(0, (process.stderr.columns || 80) - 1)}`,
  )
}
