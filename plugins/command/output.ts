import { type Perfdata, parsePerfdata } from './perfdata.ts'

/** What a program said, taken apart as the Nagios plugin API has it. */
export interface ProgramOutput {
  /** First line, without its performance data. */
  summary: string
  /** The lines after it, without theirs. */
  details: string
  perfdata: Perfdata
}

/**
 * TEXT | PERFDATA, then long text, then after another "|" more performance data up to the end.
 * Of output whose middle was cut out only the first line's data is read: the rest may begin anywhere.
 */
export function parseOutput(stdout: string, wasCut: boolean): ProgramOutput {
  const [first = '', ...rest] = stdout.trimStart().split('\n')
  const [summary, firstData] = splitAtBar(first)
  const long = rest.join('\n')
  const [details, moreData] = wasCut ? [long, ''] : splitAtBar(long)
  return {
    summary: summary.trim(),
    details: details.trim(),
    perfdata: parsePerfdata(`${firstData} ${moreData}`),
  }
}

function splitAtBar(text: string): [text: string, data: string] {
  const bar = text.indexOf('|')
  return bar < 0 ? [text, ''] : [text.slice(0, bar), text.slice(bar + 1)]
}

const CUT = '\n[… cut …]\n'

/** The head and the tail of a text, at most `limit` characters, without control characters but line feed and tab. */
export function excerpt(text: string, limit: number): string {
  const clean = text
    .toWellFormed()
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .trim()
  if (clean.length <= limit) return clean
  const half = Math.floor((limit - CUT.length) / 2)
  return (clean.slice(0, half) + CUT + clean.slice(-half)).toWellFormed()
}

/** One line of a text, for a summary. */
export function oneLine(text: string, limit: number): string {
  return excerpt(text.replace(/\s+/g, ' '), limit).replaceAll('\n', ' ')
}
