import { z } from 'zod'
import { type Payload, shorten } from '../payload.ts'

// What is shown of a payload. It comes from our own store, but maybe of another version: all is optional.
const text = z.string().catch('')
const shown = z.object({
  type: text,
  data: z
    .object({
      host: text,
      job: text,
      summary: text,
      first: z.array(z.object({ job: text, rule: text, subject: text, severity: text })).catch([]),
      total: z.number().catch(0),
      finding: z
        .object({
          rule: text,
          subject: text,
          severity: text,
          summary: text,
          remedy: z.string().nullable().catch(null),
        })
        .optional()
        .catch(undefined),
    })
    .catch({ host: '', job: '', summary: '', first: [], total: 0, finding: undefined }),
})

/**
 * The body that Slack, Mattermost, Rocket.Chat and their kin take: a text in Slack's markup, below the 16383
 * characters of a post in Mattermost (Slack cuts at 40000). Nothing in it can address people or load a link.
 */
export function slackBody(payload: Payload): string {
  const { type, data } = shown.parse(payload)
  const change = type.split('.')[1] ?? type
  const lines = data.finding
    ? findingLines(change, data.host, data.job, data.finding)
    : [
        `*${escapeMarkup(data.host)}*: ${escapeMarkup(shorten(data.summary, 500))}`,
        ...data.first.map(
          (item) => `• ${item.severity}: ${subjectOf(item.job, item.rule, item.subject, 100)}`,
        ),
        ...(data.total > data.first.length ? [`… and ${data.total - data.first.length} more`] : []),
      ]
  return JSON.stringify({ text: lines.join('\n'), unfurl_links: false, unfurl_media: false })
}

function findingLines(
  change: string,
  host: string,
  job: string,
  finding: { rule: string; subject: string; severity: string; summary: string; remedy: string | null },
): string[] {
  const isOver = change === 'resolved'
  const heading = isOver ? 'Resolved' : `${finding.severity.toUpperCase()} ${change}`
  return [
    `*${escapeMarkup(heading)} on ${escapeMarkup(host)}*: ${escapeMarkup(shorten(finding.summary, 500))}`,
    subjectOf(job, finding.rule, finding.subject, 300),
    ...(finding.remedy === null || isOver ? [] : [`To do:\n${codeBlock(shorten(finding.remedy, 800))}`]),
  ]
}

function subjectOf(job: string, rule: string, subject: string, length: number): string {
  return `${escapeMarkup(job)} · ${escapeMarkup(shorten(rule, 100))} · ${inlineCode(shorten(subject, length))}`
}

function inlineCode(text: string): string {
  return `\`${escapeEntities(text).replaceAll('`', "'").replaceAll('\n', ' ')}\``
}

/** Changes nothing but a fence, so that a command can be copied. */
function codeBlock(text: string): string {
  return `\`\`\`${escapeEntities(text).replaceAll('```', "'''")}\`\`\``
}

/** A zero-width space keeps "@all" of Mattermost from calling everyone; in code it calls nobody. */
function escapeMarkup(text: string): string {
  return escapeEntities(text).replaceAll('@', '@\u200b')
}

/** The three escapes of Slack, by which nothing is a link, a mention or "<!channel>". */
function escapeEntities(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
