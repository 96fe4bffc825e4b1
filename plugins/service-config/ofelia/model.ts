import { foldName } from '../../../agent/contract/mod.ts'
import type { IniFile, IniSection } from '../read/ini.ts'
import { appendLines, type Edit, insertAfterLine, type Place, replaceLine } from '../setting.ts'
import { JOB_TYPES, type JobType } from './keys.ts'

/** One value of a key, where it stands, and how it is changed. */
export interface Value {
  text: string
  place: Place
  edit: Edit
  /** As go-ini sees it: what is cut off. */
  comment?: string | undefined
  glued?: boolean | undefined
}

/** A key of a section or of labels, with all the values that it is given. */
export interface Key {
  /** As written. */
  name: string
  folded: string
  values: Value[]
}

/** A section of an INI file, or the labels that make up the same. */
export interface Section {
  kind: 'global' | 'docker' | 'webhook' | JobType
  /** Of a webhook or a job; empty for the others. */
  name: string
  /** "global", "job-run.prune": stands before the key in the names of findings. */
  prefix: string
  from: 'file' | 'label'
  place: Place
  keys: Map<string, Key>
  /** How a key that is missing is written. */
  add(key: string, value: string): string
}

/** Sections that Ofelia passes over. */
export interface StrangeSection {
  name: string
  place: Place
}

export interface OfeliaFile {
  path: string
  sections: Section[]
  strange: StrangeSection[]
}

/** Pure: the sections of a file as Ofelia tells them apart. */
export function sectionsOf(path: string, file: IniFile): OfeliaFile {
  const sections: Section[] = []
  const strange: StrangeSection[] = []
  for (const section of file.sections.values()) {
    const identity = identify(section.name)
    if (identity) sections.push({ ...identity, ...contentsOf(path, section) })
    else strange.push({ name: section.name, place: { path, line: section.line } })
  }
  return { path, sections, strange }
}

function identify(name: string): Pick<Section, 'kind' | 'name' | 'prefix'> | undefined {
  if (name === 'global' || name === 'docker') return { kind: name, name: '', prefix: name }
  // The longest first: job-service-run begins like none of the others, but order must not matter.
  const kind =
    JOB_TYPES.find((type) => name.startsWith(type)) ?? (name.startsWith('webhook') ? 'webhook' : undefined)
  if (!kind) return undefined
  const own = name
    .slice(kind.length)
    .trim()
    .replace(/^["']+|["']+$/g, '')
  return { kind, name: own, prefix: `${kind}.${own}` }
}

function contentsOf(path: string, section: IniSection): Pick<Section, 'from' | 'place' | 'keys' | 'add'> {
  const keys = new Map<string, Key>()
  const place = { path, line: section.line }
  for (const { name, folded, values } of section.keys.values()) {
    keys.set(folded, {
      name,
      folded,
      values: values.map(({ text, line, comment, glued }) => {
        const here = { path, line }
        return {
          text,
          place: here,
          comment,
          glued,
          edit: (wanted) => replaceLine(here, `${name} = ${wanted}`),
        }
      }),
    })
  }
  return { from: 'file', place, keys, add: (key, value) => insertAfterLine(place, `${key} = ${value}`) }
}

/** A section that is not there, as if it were empty: what is missing in it is written at the end of the file. */
export function absentSection(kind: 'global' | 'docker', path: string): Section {
  return {
    kind,
    name: '',
    prefix: kind,
    from: 'file',
    place: { path },
    keys: new Map(),
    add: (key, value) => appendLines(path, [`[${kind}]`, `${key} = ${value}`]),
  }
}

/** The last value of a key: the one that holds where only one can. */
export function lastValue(section: Section | undefined, key: string): Value | undefined {
  return section?.keys.get(foldName(key))?.values.at(-1)
}

export function isJob(section: Section): section is Section & { kind: JobType } {
  return section.kind !== 'global' && section.kind !== 'docker' && section.kind !== 'webhook'
}
