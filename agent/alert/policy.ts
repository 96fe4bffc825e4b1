import type { ChannelConfig } from '../config/schema.ts'
import { SEVERITIES, type Severity } from '../contract/report.ts'
import { alertId, type NewMessage } from '../store/outbox.ts'
import { TRANSITIONS } from '../store/schema.ts'
import type { Transition } from '../store/transitions.ts'
import { findingPayload, summaryPayload } from './payload.ts'

/** A channel gets so many messages of one kind about one run; what is beyond comes as one summary. */
export const MAX_SINGLE_ALERTS = 20

export interface AlertContext {
  /** Name of this host, for the reader. */
  host: string
  /** Tells this installation from every other one, so that no two hosts ever use the same message id. */
  instance: string
}

/**
 * Pure: what to tell each channel about the changes that one run brought. A waived or silenced finding raises no alert.
 * The most severe findings go one by one; what is beyond MAX_SINGLE_ALERTS goes as one message with counts.
 */
export function planAlerts(
  transitions: Transition[],
  channels: Pick<ChannelConfig, 'name' | 'minimumSeverity' | 'jobs'>[],
  context: AlertContext,
): NewMessage[] {
  return channels.flatMap((channel) =>
    TRANSITIONS.flatMap((kind) => {
      const wanted = transitions
        .filter((transition) => transition.kind === kind && concerns(channel, transition))
        .sort((a, b) => rank(b.severity) - rank(a.severity))
      const rest = wanted.slice(MAX_SINGLE_ALERTS)
      return [
        ...wanted.slice(0, MAX_SINGLE_ALERTS).map((transition) => ({
          messageId: findingId(transition, context),
          channel: channel.name,
          type: `finding.${kind}`,
          payload: findingPayload(transition, context.host),
        })),
        ...(rest.length === 0
          ? []
          : [
              {
                messageId: summaryId(rest, context),
                channel: channel.name,
                type: `findings.${kind}`,
                payload: summaryPayload(kind, rest, context.host),
              },
            ]),
      ]
    }),
  )
}

function concerns(channel: Pick<ChannelConfig, 'minimumSeverity' | 'jobs'>, transition: Transition): boolean {
  if (transition.muted) return false
  if (channel.jobs && !channel.jobs.includes(transition.job)) return false
  return rank(transition.severity) >= rank(channel.minimumSeverity)
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity)
}

/** All changes of one finding are one stream: they arrive in the order in which they happened. */
function findingId(transition: Transition, context: AlertContext): string {
  return alertId(
    `${context.instance}\0finding\0${transition.findingId}\0${transition.job}`,
    changeOf(transition),
  )
}

function summaryId(transitions: Transition[], context: AlertContext): string {
  const changes = transitions.map((transition) => `${transition.findingId} ${changeOf(transition)}`)
  return alertId(`${context.instance}\0summary\0${changes.join('\n')}`, 'summary')
}

function changeOf(transition: Transition): string {
  return `${transition.kind} ${transition.at} ${transition.runId ?? ''}`
}
