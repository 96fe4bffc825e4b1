import { describeError } from '../../../agent/contract/mod.ts'
import { keyFileOf } from '../places.ts'
import { setVariable } from './edit-env.ts'
import { nextOf, readOwn, removeBeside, switchBack, switchToNext, writeNext } from './files.ts'
import { isOpen, type Journal, type Journals, overlapEndMs, type Step } from './journal.ts'
import {
  assertGoodCertificate,
  certificateFiles,
  certificateIdentity,
  type KindContext,
  keepCertificateCopies,
  prepareCertificatePlaces,
  prepareText,
  removeEntry,
  removeLeftovers,
} from './kinds.ts'
import { issueCommand } from './permissions.ts'
import { mustRun, runStep, StepFailed } from './programs.ts'
import type { Rotatable } from './rotatable.ts'
import { findValue, textValues } from './values.ts'

export interface RotationContext extends KindContext {
  journals: Journals
  signal: AbortSignal
}

/**
 * Begins a rotation, or goes on with the one that is open, as far as it can go now. Each step is durable before it
 * is written down, and each can be made again: after a kill at any point the next call finishes or takes back.
 * At every moment the service accepts the old value or the new one, and whoever reads a file finds a whole one.
 */
export async function rotate(ctx: RotationContext, rotatable: Rotatable): Promise<Journal> {
  const known = ctx.journals.load(rotatable.name)
  let journal = known && isOpen(known) ? known : begin(ctx, rotatable)
  for (;;) {
    ctx.signal.throwIfAborted()
    if (!isOpen(journal)) return journal
    const until = overlapEndMs(journal, rotatable.rotation.overlap)
    if (until !== undefined && ctx.now.getTime() < until) return journal
    try {
      const done = await STEPS[journal.step](ctx, rotatable, journal)
      journal = record(ctx, { ...journal, reason: undefined, ...done })
    } catch (error) {
      ctx.signal.throwIfAborted()
      const reason = error instanceof StepFailed ? error.message : describeError(error)
      if (!canBeTakenBack(journal.step)) {
        const stuck = { ...journal, reason, ...(error instanceof OldAccepted ? { oldAccepted: true } : {}) }
        ctx.journals.save(stuck)
        return stuck
      }
      journal = record(ctx, { ...journal, step: 'rolling-back', reason })
    }
  }
}

function begin(ctx: RotationContext, { name, path }: Rotatable): Journal {
  const startedAtMs = ctx.now.getTime()
  const journal: Journal = {
    version: 1,
    name,
    path,
    step: 'preparing',
    startedAtMs,
    unproven: [],
    history: [{ step: 'preparing', atMs: startedAtMs }],
  }
  ctx.journals.save(journal)
  return journal
}

function record(ctx: RotationContext, journal: Journal): Journal {
  const { step } = journal
  const ended = step === 'done' || step === 'rolled-back' ? { endedAtMs: ctx.now.getTime() } : {}
  const entry = { step, atMs: ctx.now.getTime() }
  const next = { ...journal, ...ended, history: [...journal.history, entry].slice(-50) }
  ctx.journals.save(next)
  return next
}

/** Before the clients have the new value, nobody depends on it. */
function canBeTakenBack(step: Step): boolean {
  return ['preparing', 'prepared', 'switched', 'reloaded', 'verified'].includes(step)
}

class OldAccepted extends StepFailed {}

type Done = Partial<Journal> & { step: Step }

/** What is to be done when a step is the last that was made. */
const STEPS: Record<Step, (ctx: RotationContext, rotatable: Rotatable, journal: Journal) => Promise<Done>> = {
  preparing: prepare,
  prepared: async (ctx, rotatable, journal) => {
    const { path } = rotatable
    const isWaiting = journal.content !== undefined && ctx.host.stat(nextOf(path)) !== undefined
    if (isWaiting && ctx.fingerprint(readOwn(ctx.host, path)) !== journal.content) {
      throw new StepFailed(`${path} was changed by somebody else meanwhile`)
    }
    for (const file of certificateFiles(rotatable.declaration, rotatable.path)) {
      if (rotatable.rotation.renew === undefined) switchToNext(ctx.host, file)
    }
    return { step: 'switched' }
  },
  switched: async (ctx, rotatable, journal) => {
    await reload(ctx, rotatable, journal)
    return { step: 'reloaded' }
  },
  reloaded: async (ctx, rotatable, journal) => {
    const proven = await verifyNew(ctx, rotatable, journal)
    return {
      step: 'verified',
      ...(proven ? {} : { unproven: [...journal.unproven, 'the new one is accepted'] }),
    }
  },
  verified: async (ctx, rotatable, journal) => {
    for (const { path, reload: commands } of rotatable.rotation.deliver) {
      switchToNext(ctx.host, path)
      for (const argv of commands) await mustRun(ctx, argv, optionsOf(ctx, rotatable, journal))
    }
    return { step: 'delivered', switchedAtMs: ctx.now.getTime() }
  },
  delivered: async (ctx, rotatable, journal) => {
    if (rotatable.declaration.kind === 'token-file') {
      removeEntry(ctx, rotatable.path, journal.oldEntry)
      await reload(ctx, rotatable, journal)
    }
    return { step: 'retired' }
  },
  retired: verifyOldIsRefused,
  refused: async (ctx, rotatable) => {
    removeLeftovers(ctx.host, rotatable)
    return { step: 'done' }
  },
  'rolling-back': takeBack,
  done: async () => ({ step: 'done' }),
  'rolled-back': async () => ({ step: 'rolled-back' }),
}

async function prepare(ctx: RotationContext, rotatable: Rotatable): Promise<Done> {
  const { declaration, rotation, path } = rotatable
  if (!rotation.renew) removeLeftovers(ctx.host, rotatable)
  const options = { timeoutMs: rotation.timeout, secrets: [] }
  if (declaration.kind === 'certificate') {
    const key = keyFileOf(declaration, path) ?? path
    const oldEntry = certificateIdentity(ctx, path)
    if (rotation.renew) {
      settleCutOffRenewal(ctx, rotatable, key)
      keepCertificateCopies(ctx.host, rotatable)
      await mustRun(ctx, rotation.renew, options)
      assertGoodCertificate(ctx, rotatable, path, key)
      const newEntry = certificateIdentity(ctx, path)
      if (newEntry === oldEntry)
        throw new StepFailed('the certificate is still the same: nothing was renewed')
      return { step: 'prepared', oldEntry, newEntry }
    }
    prepareCertificatePlaces(ctx.host, rotatable)
    if (rotation.issue) await mustRun(ctx, issueCommand(rotation.issue, declaration, path), options)
    assertGoodCertificate(ctx, rotatable, nextOf(path), nextOf(key))
    return { step: 'prepared', oldEntry, newEntry: certificateIdentity(ctx, nextOf(path)) }
  }
  const value = rotation.generate ? (await mustRun(ctx, rotation.generate, options)).trim() : randomValue()
  if (value.length < declaration.minLength || /[\s\0]/.test(value)) {
    throw new StepFailed(`the new value is not one word of at least ${declaration.minLength} characters`)
  }
  const identities = prepareText(ctx, rotatable, value)
  for (const { path: client, key } of rotation.deliver) {
    const text = readOwn(ctx.host, client)
    writeNext(ctx.host, client, key === undefined ? `${value}\n` : setVariable(text, key, value))
  }
  return { step: 'prepared', ...identities }
}

/** A renewal that was killed may have left a certificate without its key: then the copies from before go back. */
function settleCutOffRenewal(ctx: RotationContext, rotatable: Rotatable, key: string): void {
  const { declaration, path } = rotatable
  try {
    assertGoodCertificate(ctx, rotatable, path, key)
  } catch {
    for (const file of certificateFiles(declaration, path)) switchBack(ctx.host, file)
  }
  removeLeftovers(ctx.host, rotatable)
}

/** 256 random bits. */
function randomValue(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex()
}

async function reload(ctx: RotationContext, rotatable: Rotatable, journal: Journal): Promise<void> {
  for (const argv of rotatable.rotation.reload) await mustRun(ctx, argv, optionsOf(ctx, rotatable, journal))
}

/** Values of this rotation are cut out of what programs say. */
function optionsOf(ctx: RotationContext, rotatable: Rotatable, journal: Journal) {
  const secrets = rotatable.declaration.kind === 'certificate' ? [] : [journal.oldValue, journal.newValue]
  return {
    timeoutMs: rotatable.rotation.timeout,
    secrets: secrets.flatMap((wanted) => findValue(ctx.host, rotatable, ctx.fingerprint, wanted) ?? []),
  }
}

/** Whether it is proven that the new one is accepted; throws StepFailed when it is not accepted. */
async function verifyNew(ctx: RotationContext, rotatable: Rotatable, journal: Journal): Promise<boolean> {
  const { verify, probe, timeout } = rotatable.rotation
  if (rotatable.declaration.kind === 'certificate') {
    if (probe) {
      const { certificates } = await ctx.host.handshake({ ...probe, timeoutMs: timeout, signal: ctx.signal })
      const [served] = certificates
      if (!served || ctx.fingerprint(served) !== journal.newEntry) {
        throw new StepFailed(`${probe.host}:${probe.port} does not serve the new certificate`)
      }
    }
    if (verify) await mustRun(ctx, verify, optionsOf(ctx, rotatable, journal))
    return probe !== undefined || verify !== undefined
  }
  if (!verify) return false
  const value = findValue(ctx.host, rotatable, ctx.fingerprint, journal.newValue)
  if (value === undefined) throw new StepFailed('the new value is not where it was put')
  await mustRun(ctx, verify, { ...optionsOf(ctx, rotatable, journal), stdin: `${value}\n` })
  return true
}

async function verifyOldIsRefused(
  ctx: RotationContext,
  rotatable: Rotatable,
  journal: Journal,
): Promise<Done> {
  const { verify, refusedExitCodes } = rotatable.rotation
  const old =
    rotatable.declaration.kind === 'certificate'
      ? undefined
      : findValue(ctx.host, rotatable, ctx.fingerprint, journal.oldValue)
  // A certificate is not refused by its own host: it ends by its expiry, or is revoked by its authority.
  if (rotatable.declaration.kind === 'certificate') return { step: 'refused' }
  if (!verify || old === undefined) {
    return { step: 'refused', unproven: [...journal.unproven, 'the old one is refused'] }
  }
  const { exitCode, said } = await runStep(ctx, verify, {
    ...optionsOf(ctx, rotatable, journal),
    stdin: `${old}\n`,
  })
  if (exitCode === 0) throw new OldAccepted('the old value is still accepted')
  if (refusedExitCodes.includes(exitCode)) return { step: 'refused', oldAccepted: false }
  throw new StepFailed(
    `whether the old value is refused is not known: ${verify[0]} ended with ${exitCode}${said ? `: ${said}` : ''}`,
  )
}

/** Takes out what was put in, unless somebody has put something else there since. */
function takeOut(host: RotationContext['host'], file: string, holdsNew: boolean): void {
  if (holdsNew) switchBack(host, file)
  removeBeside(host, file)
}

function holdsValue(
  { host, fingerprint }: RotationContext,
  file: string,
  key: string | undefined,
  wanted: string | undefined,
): boolean {
  return textValues(readOwn(host, file), key).some((value) => fingerprint(value) === wanted)
}

/** Puts everything back as it was. Made again after a crash, it comes to the same. */
async function takeBack(ctx: RotationContext, rotatable: Rotatable, journal: Journal): Promise<Done> {
  const { declaration, rotation, path } = rotatable
  // What programs may say has to be known before the values are gone.
  const options = optionsOf(ctx, rotatable, journal)
  for (const { path: client, key } of rotation.deliver) {
    takeOut(ctx.host, client, holdsValue(ctx, client, key, journal.newValue))
  }
  if (declaration.kind === 'token-file') {
    if (journal.newEntry !== undefined) removeEntry(ctx, path, journal.newEntry)
    removeBeside(ctx.host, path)
  } else if (declaration.kind === 'env-file') {
    takeOut(ctx.host, path, holdsValue(ctx, path, rotation.entry, journal.newValue))
  } else {
    for (const file of certificateFiles(declaration, path)) {
      // Where an ACME client keeps links, it is the one to put them back.
      if (ctx.host.stat(file)?.type !== 'symlink') switchBack(ctx.host, file)
      removeBeside(ctx.host, file)
    }
  }
  const wasSwitched = journal.history.some(({ step }) => step === 'switched')
  let reason = journal.reason
  for (const argv of wasSwitched
    ? [...rotation.reload, ...rotation.deliver.flatMap((client) => client.reload)]
    : []) {
    try {
      await mustRun(ctx, argv, options)
    } catch (error) {
      ctx.signal.throwIfAborted()
      reason = `${reason}; and after it was taken back: ${describeError(error)}`
    }
  }
  return { step: 'rolled-back', reason }
}
