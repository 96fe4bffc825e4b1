import type { HostStatus, JobState } from '../store/status.ts'

// What a state means in words: a colour alone says nothing.

const HOST_HEADLINES: Record<JobState, string> = {
  refused: 'Not allowed to look',
  failed: 'Could not look',
  late: 'Overdue',
  blind: 'Partly blind',
  critical: 'Seriously wrong',
  warning: 'Needs attention',
  pending: 'Not looked yet',
  ok: 'In order',
  disabled: 'Nobody looks',
}

const HOST_SENTENCES: Record<JobState, string> = {
  refused: 'A job is not allowed to run, so nothing is known of what it looks after.',
  failed: 'A job could not do its work, so nothing is known of what it looks after.',
  late: 'A job is overdue, so what it looks after may have changed since its last run.',
  blind: 'A part of this host could not be examined, so nothing is known of it.',
  critical: 'Something is seriously wrong with this host.',
  warning: 'Something on this host needs attention.',
  pending: 'Not everything has been looked at yet.',
  ok: 'Every job has looked in time and found nothing that needs attention.',
  disabled: 'All jobs are disabled: nobody looks after this host.',
}

/** The host's state as a headline and a sentence. */
export function describeHost(status: Pick<HostStatus, 'state' | 'jobs'>): {
  headline: string
  sentence: string
} {
  const enabled = Object.entries(status.jobs).some(([state, total]) => state !== 'disabled' && total > 0)
  if (enabled) return { headline: HOST_HEADLINES[status.state], sentence: HOST_SENTENCES[status.state] }
  return {
    headline: HOST_HEADLINES.disabled,
    sentence:
      status.jobs.disabled > 0
        ? HOST_SENTENCES.disabled
        : 'No job is configured: nobody looks after this host.',
  }
}

/** A job's state as one or two words. */
export const JOB_WORDS: Record<JobState, string> = {
  refused: 'not allowed',
  failed: 'failed',
  late: 'overdue',
  blind: 'blind',
  critical: 'critical',
  warning: 'warning',
  pending: 'not run yet',
  ok: 'ok',
  disabled: 'disabled',
}
