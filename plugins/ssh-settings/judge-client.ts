import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { splitWords } from './parse-server.ts'
import { pathAndLine, replaceLine } from './place.ts'

/**
 * Pure: whether an ssh_config(5) makes ssh believe any host. What stands before the first `Host`, or below one that
 * matches everything, holds for all; for named hosts (automation that makes and removes them) it is only a warning.
 */
export function judgeClient(path: string, text: string): Finding[] {
  let hosts: string[] | undefined
  return text.split('\n').flatMap((line, index): Finding[] => {
    const [key = '', ...words] = splitWords(line)
    const name = key.toLowerCase()
    if (name === 'host' || name === 'match') {
      hosts = words.includes('*') || words.join(' ').toLowerCase() === 'all' ? undefined : words
      return []
    }
    const value = (words[0] ?? '').toLowerCase()
    const isOff =
      (name === 'stricthostkeychecking' && (value === 'no' || value === 'off')) ||
      (name === 'userknownhostsfile' && value === '/dev/null')
    if (!isOff) return []
    const place = `${path}:${index + 1}`
    const whom = hosts ? `the hosts ${hosts.join(', ')}` : 'every host'
    return [
      {
        rule: 'unverified-hosts',
        subject: place,
        severity: hosts ? 'warning' : 'critical',
        summary: `ssh takes ${whom} for what they say they are: ${key} ${words.join(' ')} (${place})`,
        remedy:
          name === 'userknownhostsfile'
            ? `sed -i ${index + 1}d ${shellWord(path)}`
            : replaceLine(place, `${hosts ? '    ' : ''}StrictHostKeyChecking accept-new`),
        evidence: { key: name, hosts: hosts?.join(' ') ?? '*', ...pathAndLine(place) },
      },
    ]
  })
}
