import type { Blind, Finding } from '../../../agent/contract/mod.ts'
import type { Verdict } from '../program/listener.ts'

// What the parts that logrotate's program and this plugin have in common say, as findings. Pure.

/** `error: /etc/logrotate.d/nginx:7 unknown option 'dayly' -- ignoring line` in its parts. */
export interface Complaint {
  severity: 'error' | 'warning'
  /** As the message has it: for an included file its name only. */
  file: string | undefined
  line: number | undefined
  message: string
}

/** Reads what was shown; a message may have several lines. What is neither error nor warning is left out. */
export function parseComplaints(shown: string[]): Complaint[] {
  return shown.flatMap((text): Complaint[] => {
    const [, severity, rest = ''] = /^(error|warning): (.*)$/s.exec(text.trim()) ?? []
    if (severity !== 'error' && severity !== 'warning') return []
    const [, file, line, message] = /^(\S[^\n]*?):(\d+)[,:]?\s+(.*)$/s.exec(rest) ?? []
    if (file !== undefined && message !== undefined) return [{ severity, file, line: Number(line), message }]
    const [, named] =
      /^(?:cannot stat |failed to open config file |Ignoring |Potentially dangerous mode on |file )(\S+?)(?::| because| too)/.exec(
        rest,
      ) ?? []
    return [{ severity, file: named, line: undefined, message: rest }]
  })
}

/**
 * What is wrong with the files, and what of them the job may not read. `fullPath` finds an included file, `closed`
 * says how to open the directory of a pattern.
 */
export function judgeComplaints(
  complaints: Complaint[],
  fullPath: (file: string) => string,
  closed: (pattern: string) => Blind,
): { findings: Finding[]; blind: Blind[] } {
  const findings: Finding[] = []
  const blind: Blind[] = []
  for (const { severity, file, line, message } of complaints) {
    // What follows an error that was told with its line already.
    if (/^found error in /.test(message)) continue
    const pattern = /^glob failed for (.*): Permission denied$/s.exec(message)?.[1]
    if (pattern !== undefined) {
      blind.push(closed(pattern))
      continue
    }
    const path = file === undefined ? 'logrotate' : fullPath(file)
    if (/Permission denied$/.test(message)) {
      blind.push({
        subject: path,
        reason: `${message}; if the job may not read it, add it to logrotateIncludes`,
      })
      continue
    }
    const subject = line === undefined ? path : `${path}:${line}`
    findings.push({
      rule: 'logrotate-error',
      subject: subject.slice(0, 4096),
      severity: 'warning',
      summary: `${subject}: ${message}`.slice(0, 2000),
      remedy:
        line === undefined
          ? `Correct ${path}; until then it is not followed`
          : `Correct line ${line} of ${path}; "reeve logrotate -d ${path}" reads it anew`,
      evidence: { file: path, line: line ?? null, kind: severity },
    })
  }
  return { findings: onePerSubject(findings), blind }
}

function onePerSubject(findings: Finding[]): Finding[] {
  const bySubject = new Map<string, Finding>()
  for (const finding of findings) {
    const first = bySubject.get(finding.subject)
    if (first) first.summary = `${first.summary}; ${finding.summary}`.slice(0, 2000)
    else bySubject.set(finding.subject, finding)
  }
  return [...bySubject.values()]
}

/** What is said about a log of a set, apart from that it is not due. */
export function judgeVerdict(
  path: string,
  { kind, reason }: Verdict,
  { pattern, missingOk, bytes }: { pattern: string; missingOk: boolean; bytes: number | null },
): Finding[] {
  const evidence = { set: firstWords(pattern), by: 'logrotate', bytes }
  const finding = (rule: string, severity: Finding['severity'], remedy: string): Finding => ({
    rule,
    subject: path,
    severity,
    summary: `${path} is not rotated: ${reason}`,
    remedy,
    evidence,
  })
  switch (kind) {
    case 'due':
      return [
        {
          rule: 'rotation-due',
          subject: path,
          severity: 'info',
          summary: `${path} is to be rotated: ${reason}`,
          evidence: { ...evidence, reason },
          fixable: true,
        },
      ]
    case 'missing':
      if (missingOk) return []
      return [finding('log-missing', 'warning', 'Correct the path, or add "missingok" to the block')]
    case 'insecure':
      return [
        finding(
          'log-unsafe',
          'warning',
          'Add "su USER GROUP" to the block, or take write permission from others (chmod go-w)',
        ),
      ]
    case 'hard-linked':
      return [finding('log-unsafe', 'warning', 'Remove the other names, or add "allowhardlink" to the block')]
    case 'not-a-file':
      return [finding('log-unsafe', 'info', 'Name the file itself in the block')]
    case 'not-due':
      return []
  }
}

/** The pattern of a block on one line, for people. */
export function firstWords(pattern: string): string {
  const line = pattern.replace(/\s+/g, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}
