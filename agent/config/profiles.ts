import type { PluginSource } from '../contract/plugin.ts'
import { suggestion } from '../lib/nearest.ts'
import { expandProfile, profileProblems } from './expand-profile.ts'
import type { ConfigFiles } from './files.ts'
import { type Problem, problemAt, problemsOf } from './problem.ts'
import { type Checklist, type Profile, profileSchema, profileUseSchema } from './profile-schema.ts'
import { secretProblems } from './secret-problems.ts'
import { isRecord, type KeyPath, readSource, type Source } from './source.ts'

interface KnownProfile {
  profile: Profile
  /** Where an own one stands; null for a built-in one. */
  source: Source | null
}

export interface AppliedProfiles {
  /** The configuration with the jobs of its profiles. */
  source: Source
  checklists: Checklist[]
  problems: Problem[]
}

/**
 * Puts the jobs of the profiles in use beside those of the configuration. What is wrong with a job that came
 * from an own profile is told with its place in that file, else with the place of the use.
 */
export async function applyProfiles(
  source: Source,
  files: ConfigFiles,
  plugins: PluginSource,
): Promise<AppliedProfiles> {
  const problems: Problem[] = []
  const own = ownProfiles(files, plugins, problems)
  const checklists: Checklist[] = []
  const places = new Map<string, (rest: KeyPath) => ReturnType<Source['locate']>>()
  const uses = Array.isArray(source.value.profiles) ? source.value.profiles : []
  const jobs = isRecord(source.value.jobs) ? source.value.jobs : {}
  const all: Record<string, unknown> = { ...jobs }
  for (const [index, written] of uses.entries()) {
    const use = profileUseSchema.safeParse(written)
    // The schema of the whole configuration says what is wrong with it.
    if (!use.success) continue
    const at = (keys: KeyPath, message: string) => problemAt(source, ['profiles', index, ...keys], message)
    const known = own.get(use.data.use) ?? (await builtIn(use.data.use, plugins))
    if (!known) {
      problems.push(at(['use'], unknownProfile(use.data.use, own, plugins)))
      continue
    }
    const expansion = expandProfile(known.profile, use.data)
    problems.push(...expansion.problems.map(({ keys, message }) => at(keys, message)))
    // What its jobs look like without a value helps nobody.
    if (expansion.problems.length > 0) continue
    const { name } = expansion.checklist
    if (checklists.some((checklist) => checklist.name === name)) {
      problems.push(at(['use'], `there are two checklists "${name}"; give one another name with \`as\``))
      continue
    }
    for (const [job, settings] of Object.entries(expansion.jobs)) {
      if (Object.hasOwn(all, job)) {
        problems.push(
          at([], `it has a job "${job}", and so has \`jobs\`; change that of the profile with \`jobs\` here`),
        )
        continue
      }
      all[job] = settings
      const ownName = job.slice(name.length + 1)
      places.set(job, (rest) =>
        known.source
          ? known.source.locate(['jobs', ownName, ...rest])
          : source.locate(['profiles', index, 'jobs', ownName, ...rest]),
      )
    }
    checklists.push(expansion.checklist)
  }
  if (places.size === 0) return { source, checklists, problems }
  const locate = (keys: KeyPath) => {
    const place = keys[0] === 'jobs' ? places.get(String(keys[1])) : undefined
    return place ? place(keys.slice(2)) : source.locate(keys)
  }
  return { source: { ...source, value: { ...source.value, jobs: all }, locate }, checklists, problems }
}

/** A built-in profile; undefined when there is none of that name. */
async function builtIn(name: string, { profiles }: PluginSource): Promise<KnownProfile | undefined> {
  const load = profiles && Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (!load) return undefined
  const file = { path: `${name}.yaml`, text: await load() }
  const { value } = readSource({ path: file.path, files: [file], profiles: [], problems: [] })
  return { profile: profileSchema.parse(value), source: null }
}

function ownProfiles(
  { profiles }: ConfigFiles,
  plugins: PluginSource,
  problems: Problem[],
): Map<string, KnownProfile> {
  const known = new Map<string, KnownProfile>()
  for (const file of profiles) {
    const source = readSource({ path: file.path, files: [file], profiles: [], problems: [] })
    problems.push(...source.problems, ...secretProblems(source))
    if (source.problems.length > 0) continue
    const parsed = profileSchema.safeParse(source.value)
    if (!parsed.success) {
      problems.push(...problemsOf(parsed.error, source, [], profileSchema))
      continue
    }
    const profile = parsed.data
    problems.push(...profileProblems(profile).map(({ keys, message }) => problemAt(source, keys, message)))
    if (known.has(profile.name) || Object.hasOwn(plugins.profiles ?? {}, profile.name)) {
      problems.push(problemAt(source, ['name'], `there is another profile "${profile.name}"`))
      continue
    }
    known.set(profile.name, { profile, source })
  }
  return known
}

function unknownProfile(
  name: string,
  own: Map<string, KnownProfile>,
  { profiles = {} }: PluginSource,
): string {
  const names = [...Object.keys(profiles), ...own.keys()]
  return `there is no profile "${name}"${suggestion(name, names)}`
}
