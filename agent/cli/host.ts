import { existsSync, lchownSync, lstatSync, readdirSync } from 'node:fs'
import { configPath, socketPath, stateDirectory } from '../config/paths.ts'
import type { Job } from '../engine/job.ts'
import { UserError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type OpenedSetup, openSetup } from '../open-setup.ts'
import { pluginDescriber } from '../phases.ts'
import { openStoreForReading, type Store } from '../store/open.ts'
import type { Invocation } from './command.ts'

export interface HostView extends OpenedSetup {
  configPath: string
  stateDir: string
  database: string
  socket: string | null
}

/** The configuration in force for this command line, and where its state is. */
export async function readHost(invocation: Invocation): Promise<HostView> {
  const path = configPath(invocation.config, process.env)
  const setup = await openSetup(path, invocation.plugins, pluginDescriber)
  const stateDir = stateDirectory(setup.config.stateDir, process.env, path)
  return {
    ...setup,
    configPath: path,
    stateDir,
    database: `${stateDir}/reeve.db`,
    socket: socketPath(setup.config.api.socket, process.env, stateDir),
  }
}

/** Opens the store for a reading command; undefined when nothing has run yet. */
export function readStore(host: HostView): Store | undefined {
  let isThere: boolean
  try {
    isThere = existsSync(host.database)
    if (!isThere) lstatSync(host.stateDir).isDirectory()
  } catch {
    return undefined
  }
  return isThere ? openStoreForReading(host.database) : undefined
}

/**
 * Makes root act as the user that the state belongs to, so that no file of root's appears in it. To be called
 * before the state is opened for writing.
 */
export function actAsStateOwner(stateDir: string): void {
  if (process.getuid?.() !== 0) return
  const stat = lstatSync(stateDir, { throwIfNoEntry: false })
  if (!stat || stat.uid === 0) return
  process.setgroups?.([stat.gid])
  process.setgid?.(stat.gid)
  process.setuid?.(stat.uid)
}

/**
 * After root has run a job itself: what root left in the state goes to the user that the state belongs to,
 * else the service could not read it.
 */
export function giveStateBack(stateDir: string): void {
  if (process.getuid?.() !== 0) return
  const owner = lstatSync(stateDir, { throwIfNoEntry: false })
  if (!owner || owner.uid === 0) return
  const visit = (path: string) => {
    const stat = lstatSync(path)
    if (stat.uid === 0) lchownSync(path, owner.uid, owner.gid)
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(`${path}/${name}`)
  }
  visit(stateDir)
}

/** The named jobs; every mistyped name at once is an error with the nearest one. */
export function pickJobs(jobs: Job[], names: string[]): Job[] {
  return names.map((name) => {
    const found = jobs.find((job) => job.name === name)
    if (found) return found
    const near = nearest(
      name,
      jobs.map((job) => job.name),
    )
    const known =
      jobs.length > 0 ? `; known are ${jobs.map((job) => job.name).join(', ')}` : '; none is configured'
    throw new UserError(`There is no job "${name}"${near ? `, did you mean "${near}"?` : known}`)
  })
}
