import type { LogSet } from '../logrotate/settings.ts'

/** The line that tells what is going to happen with a set. */
export function describeSet({ pattern, settings }: LogSet, forced: boolean): string {
  const { rotate, maxAgeDays, mail, minSizeBytes, maxSizeBytes, minAgeDays } = settings
  const parts = [
    `\nrotating pattern: ${pattern} ${forced ? 'forced from command line' : describeCriterion(settings)} `,
    settings.oldDirectory === undefined ? '' : `olddir is ${settings.oldDirectory}, `,
    settings.ifEmpty ? 'empty log files are rotated, ' : 'empty log files are not rotated, ',
    minSizeBytes > 0 ? `only log files >= ${minSizeBytes} bytes are rotated, ` : '',
    maxSizeBytes > 0 ? `log files >= ${maxSizeBytes} are rotated earlier, ` : '',
    minAgeDays > 0 ? `only log files older than ${minAgeDays} days are rotated, ` : '',
  ]
  if (rotate === -1 && maxAgeDays === 0) return `${parts.join('')}old logs are kept forever`
  if (mail !== undefined) parts.push(`old logs mailed to ${mail}, `)
  if (rotate === 0) return `${parts.join('')}no old logs will be kept`
  parts.push(rotate === -1 ? '(unlimited rotations), ' : `(${rotate} rotations), `, 'old logs are removed')
  if (maxAgeDays > 0) parts.push(` after ${maxAgeDays} days`)
  return parts.join('')
}

function describeCriterion({ criterion }: LogSet['settings']): string {
  switch (criterion.kind) {
    case 'size':
      return `${criterion.bytes} bytes`
    case 'daily':
      return 'after 1 days'
    case 'minutes':
      return `every ${criterion.count} minutes`
    default:
      return criterion.kind
  }
}
