import { type Blind, describeError, type HostReader, isGlob } from '../../agent/contract/mod.ts'

/** A program that sends logs to another host. */
interface Sender {
  name: string
  /** Unit that has to be enabled. */
  unit: string
  /** Files, or patterns, that say where to. */
  files: string[]
  /** In one of the files: it sends to another host. */
  sends: RegExp
}

const ELSEWHERE = String.raw`(?!"?(?:localhost|127\.|\[?::1))`

const SENDERS: Sender[] = [
  {
    name: 'rsyslog',
    unit: 'rsyslog.service',
    files: ['/etc/rsyslog.conf', '/etc/rsyslog.d/*.conf'],
    // "*.* @@host", or an action of omfwd, omrelp.
    sends: new RegExp(
      String.raw`^\s*[^#\s$][^\n@#]*[\s;]@@?(?:\([^)]*\))?${ELSEWHERE}[\w.[-]|^[^#\n]*type\s*=\s*"om(?:fwd|relp)"`,
      'im',
    ),
  },
  {
    name: 'syslog-ng',
    unit: 'syslog-ng.service',
    files: ['/etc/syslog-ng/syslog-ng.conf', '/etc/syslog-ng/conf.d/*.conf'],
    sends: new RegExp(
      String.raw`^[^#\n]*destination\s[^\n]*(?:network|syslog|tcp|udp)\s*\(\s*${ELSEWHERE}["\w]`,
      'im',
    ),
  },
  {
    name: 'systemd-journal-upload',
    unit: 'systemd-journal-upload.service',
    files: ['/etc/systemd/journal-upload.conf', '/etc/systemd/journal-upload.conf.d/*.conf'],
    sends: /^\s*URL\s*=\s*\S/im,
  },
  {
    name: 'promtail',
    unit: 'promtail.service',
    files: ['/etc/promtail/config.yml', '/etc/promtail/config.yaml', '/etc/promtail.yml'],
    sends: /^\s*-?\s*url:\s*\S/im,
  },
  {
    name: 'Alloy',
    unit: 'alloy.service',
    files: ['/etc/alloy/config.alloy'],
    sends: /^\s*loki\.write\b/im,
  },
  {
    name: 'Vector',
    unit: 'vector.service',
    files: ['/etc/vector/vector.yaml', '/etc/vector/vector.toml', '/etc/vector/vector.json'],
    sends: /^\s*(?:\[sinks\.|sinks:|"sinks":)/im,
  },
  {
    name: 'Fluent Bit',
    unit: 'fluent-bit.service',
    files: ['/etc/fluent-bit/fluent-bit.conf', '/etc/fluent-bit/fluent-bit.yaml'],
    sends: /^\s*(?:-?\s*name:?)\s+(?:forward|http|loki|syslog|es|opensearch|splunk|tcp|gelf|s3|kafka)\b/im,
  },
  {
    name: 'Filebeat',
    unit: 'filebeat.service',
    files: ['/etc/filebeat/filebeat.yml'],
    sends: /^\s*output\.(?!console|file)\w+:/im,
  },
]

const WANTS = '/etc/systemd/system/*.wants'

/** What may be read, as permissions. */
export const FORWARDING_FILES = [
  ...new Set(
    SENDERS.flatMap(({ files }) =>
      files.map((file) => (isGlob(file) ? file.slice(0, file.lastIndexOf('/')) : file)),
    ),
  ),
]
export const FORWARDING_LISTS = ['/etc/systemd/system']

export interface Forwarding {
  /** Programs that send, and are started with the host. */
  active: string[]
  /** Programs that would send, but whose unit is not enabled. */
  idle: { name: string; unit: string }[]
  blind: Blind[]
}

/** Who sends the logs of this host to another one, by the files of configuration and the units that are enabled. */
export function lookForForwarding(host: HostReader): Forwarding {
  const found: Forwarding = { active: [], idle: [], blind: [] }
  const dark = (subject: string, reason: string) =>
    found.blind.push({ subject, reason, rules: ['forwarding-missing'] })
  for (const { name, unit, files, sends } of SENDERS) {
    const texts = files.flatMap((pattern) =>
      host.glob(pattern, dark).flatMap(({ path }) => {
        try {
          return [host.readText(path, { follow: true })]
        } catch (error) {
          dark(path, describeError(error))
          return []
        }
      }),
    )
    if (!texts.some((text) => sends.test(text))) continue
    const isEnabled = host.glob(`${WANTS}/${unit}`, dark).length > 0
    if (isEnabled) found.active.push(name)
    else found.idle.push({ name, unit })
  }
  return found
}
