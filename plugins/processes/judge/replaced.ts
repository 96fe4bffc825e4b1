import { type Finding, globMatcher, type ProcessSurvey } from '../../../agent/contract/mod.ts'
import { listed, restartOf, type Whereabouts } from '../whereabouts.ts'

/** Files that come and go as a program works: shared memory, and code that was made or unpacked on the way. */
const PASSING = /^\/(dev|memfd:|SYSV|run|proc|sys|tmp|var\/tmp|\[)/
const LIBRARY = /\.so(\.[^/]*)?$|\.node$/
/** The container runtime executes a sealed copy of itself. */
const SEALED_COPY = /^\/memfd:(runc_cloned|crun|conmon)/

/** Pure: a finding for each unit or program that still uses what was replaced or removed. */
export function judgeReplaced(
  { replaced, removed, programs }: ProcessSurvey,
  whereabouts: (pid: number) => Whereabouts | undefined,
  ignored: string[],
): Finding[] {
  const isIgnored = globMatcher(ignored)
  const groups = new Map<
    string,
    { rule: string; place: Whereabouts; files: Set<string>; pids: Set<number> }
  >()
  const isBack = (path: string) => replaced[path] !== undefined
  for (const [path, pids] of [...Object.entries(replaced), ...Object.entries(removed)]) {
    if (isIgnored(path)) continue
    for (const pid of pids) {
      const isProgram = programs[path]?.includes(pid) ?? false
      const rule = ruleOf(path, isProgram, isBack(path))
      const place = rule && whereabouts(pid)
      if (!rule || !place) continue
      const key = `${rule} ${place.title}`
      const group = groups.get(key) ?? { rule, place, files: new Set(), pids: new Set() }
      group.files.add(path)
      group.pids.add(pid)
      groups.set(key, group)
    }
  }
  return [...groups.values()]
    .map(({ rule, place, files, pids }): Finding => {
      const what = listed([...files].toSorted(), 3)
      const ids = [...pids].toSorted((a, b) => a - b)
      return {
        rule,
        subject: place.title,
        severity: 'warning',
        summary: `${place.title} ${SAYS[rule] ?? ''} ${what}`,
        remedy: rule === 'program-removed' ? lookAt(ids[0] ?? 0, place) : restartOf(place, ids),
        evidence: {
          files: listed([...files].toSorted(), 20),
          processes: listed(ids.map(String), 20),
          unit: place.unit ?? null,
        },
      }
    })
    .toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
}

const SAYS: Record<string, string> = {
  'program-replaced': 'still runs the program that was there before',
  'library-replaced': 'still uses libraries that were replaced:',
  'program-removed': 'runs a program of which the file is gone:',
}

function ruleOf(path: string, isProgram: boolean, isBack: boolean): string | undefined {
  if (isProgram) {
    if (SEALED_COPY.test(path)) return undefined
    return isBack ? 'program-replaced' : 'program-removed'
  }
  // A library of another version has another name: that the old one is gone is what an upgrade looks like.
  return LIBRARY.test(path) && !PASSING.test(path) ? 'library-replaced' : undefined
}

function lookAt(pid: number, place: Whereabouts): string {
  return `ls -l /proc/${pid}/exe && sha256sum /proc/${pid}/exe && tr '\\0' ' ' < /proc/${pid}/cmdline\n# if it is meant to run: ${restartOf(place, [pid])}\n# if not: keep /proc/${pid}/exe as evidence before you end it`
}
