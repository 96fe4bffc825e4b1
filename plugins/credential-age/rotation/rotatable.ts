import { isGlob, UserError } from '../../../agent/contract/mod.ts'
import type { Config } from '../config.ts'
import type { Declaration } from '../declaration.ts'
import type { Rotation } from './config.ts'

type WithRotation = Extract<Declaration, { kind: 'env-file' | 'token-file' | 'certificate' }>

/** A declaration that says how it is rotated. */
export interface Rotatable {
  /** What people call it: its name, or its place. */
  name: string
  path: string
  declaration: WithRotation
  rotation: Rotation
}

/** All of a job, in the order of the configuration. Pure. */
export function rotatablesOf(config: Config): Rotatable[] {
  return config.credentials.flatMap((declaration) => {
    if (!('rotation' in declaration) || !declaration.rotation) return []
    const { rotation, path } = declaration
    const place = rotation.entry === undefined ? path : `${path}#${rotation.entry}`
    return [{ name: declaration.name ?? place, path, declaration, rotation }]
  })
}

/** The one of that name. Throws UserError with the known ones. Pure. */
export function rotatableOf(config: Config, name: string): Rotatable {
  const all = rotatablesOf(config)
  const found = all.find((one) => one.name === name || one.path === name)
  if (!found) {
    const known = all.map((one) => `"${one.name}"`).join(', ') || 'none: no declaration has `rotation`'
    throw new UserError(`Cannot rotate "${name}": it is not declared with a rotation; known are ${known}`)
  }
  const problem = problemOf(found)
  if (problem) throw new UserError(`Cannot rotate "${found.name}": ${problem}`)
  return found
}

/** Why a declared rotation cannot work; undefined when it can. Pure. */
export function problemOf({ declaration, rotation, path }: Rotatable): string | undefined {
  if (isGlob(path)) return 'its path is a pattern; declare the file itself'
  if (declaration.kind === 'certificate') {
    if (!declaration.keyFile) return 'a certificate needs `keyFile`, so that both are changed together'
    if ((rotation.issue === undefined) === (rotation.renew === undefined)) {
      return 'a certificate needs one of `issue` and `renew`'
    }
    return undefined
  }
  if (rotation.issue || rotation.renew || rotation.probe)
    return '`issue`, `renew` and `probe` are for certificates'
  if (isHashed(declaration) && rotation.deliver.length === 0) {
    return 'only the hash of a token stands in the file: `deliver` must say where its client is to find the new one'
  }
  return undefined
}

/** Only hashes stand in the file. */
export function isHashed(declaration: Declaration): boolean {
  return declaration.kind === 'token-file' && declaration.form === 'sha256'
}
