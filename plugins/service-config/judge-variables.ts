import { type Finding, shellWord } from '../../agent/contract/mod.ts'
import { complain } from './rules.ts'
import type { Runtime } from './runtime.ts'

/** Lines of a file of variables that systemd passes over. */
export function judgeIgnored({ ignored }: Runtime): Finding[] {
  return ignored.map(({ name, place }) => {
    const summary = `systemd does not take ${name}: "export" has no place in a file of EnvironmentFile=`
    const remedy = `sed -i '${place.line}s/^[[:space:]]*export[[:space:]]*//' ${shellWord(place.path)}`
    return complain('ineffective-variable', { key: name, place, summary, remedy })
  })
}
