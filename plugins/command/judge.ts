import { type Blind, type Finding, formatDuration, type RunResult } from '../../agent/contract/mod.ts'
import { excerpt, oneLine, type ProgramOutput } from './output.ts'

const SUMMARY_CHARACTERS = 1000
/** What a report takes as one value of evidence. */
const EVIDENCE_CHARACTERS = 4096

export type ProgramState = 'ok' | 'warning' | 'critical' | 'unknown'

export interface Verdict {
  state: ProgramState
  summary: string
  finding: Finding | undefined
  blind: Blind | undefined
}

/**
 * What a Nagios plugin says about its subject. Only 0, 1 and 2 are answers; everything else (3, a signal, too
 * long, a code that no state has) means that nobody looked. Pure.
 */
export function judgeCheck(
  subject: string,
  argv: readonly string[],
  result: RunResult,
  output: ProgramOutput,
  timeoutMs: number,
): Verdict {
  const summary = summaryOf(result, output)
  const noAnswer = (reason: string): Verdict => ({
    state: 'unknown',
    summary,
    finding: undefined,
    blind: { subject, reason: oneLine(`${argv[0]} ${reason}`, SUMMARY_CHARACTERS) },
  })
  const end = abnormalEnd(result, timeoutMs)
  if (end) return noAnswer(end)
  if (result.exitCode === 0) return { state: 'ok', summary, finding: undefined, blind: undefined }
  if (result.exitCode === 1 || result.exitCode === 2) {
    const state = result.exitCode === 1 ? 'warning' : 'critical'
    const finding: Finding = {
      rule: `command-${state}`,
      subject,
      severity: state,
      summary: summary || `${argv[0]} ended with exit code ${result.exitCode} (${state}) and said nothing`,
      remedy: `To see it again: ${commandLine(argv)}`,
      evidence: evidenceOf(result, output),
    }
    return { state, summary, finding, blind: undefined }
  }
  const meaning =
    result.exitCode === 3 ? 'cannot tell' : `ended with exit code ${result.exitCode}, which is no state`
  return noAnswer(summary ? `${meaning}: ${summary}` : meaning)
}

/** Why a program's action failed, undefined when it ended with 0. Pure. */
export function judgeAction(result: RunResult, output: ProgramOutput, timeoutMs: number): string | undefined {
  const end = abnormalEnd(result, timeoutMs)
  if (!end && result.exitCode === 0) return undefined
  const summary = summaryOf(result, output)
  const how = end ?? `ended with exit code ${result.exitCode}`
  return oneLine(summary ? `${how}: ${summary}` : how, SUMMARY_CHARACTERS)
}

function abnormalEnd(result: RunResult, timeoutMs: number): string | undefined {
  if (result.timedOut) return `took longer than ${formatDuration(timeoutMs)} and was killed`
  return result.signal ? `was ended by ${result.signal}` : undefined
}

/** The first line of what it said; of its errors when it said nothing else. */
function summaryOf(result: RunResult, output: ProgramOutput): string {
  return oneLine(output.summary || (result.stderr.trim().split('\n')[0] ?? ''), SUMMARY_CHARACTERS)
}

export function evidenceOf(
  result: RunResult,
  output: ProgramOutput,
): Record<string, string | number | boolean | null> {
  const evidence: Record<string, string | number | boolean | null> = { exitCode: result.exitCode }
  const details = excerpt(output.details, EVIDENCE_CHARACTERS)
  const errors = excerpt(result.stderr, EVIDENCE_CHARACTERS)
  if (details) evidence.output = details
  if (errors) evidence.errors = errors
  if (result.truncated) evidence.outputCut = true
  return evidence
}

/** argv for a shell, to be copied by a person. */
export function commandLine(argv: readonly string[]): string {
  const quoted = argv.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  )
  return quoted.join(' ').slice(0, 4000)
}
