import { expect, test } from 'bun:test'
import { realpathSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { surveyProcesses, withinBounds } from '../../../agent/host/process-survey.ts'
import { LocalHostReader } from '../../../agent/host/reader.ts'
import { waitUntil } from '../../kit/wait.ts'

test('surveyProcesses() has who executes which file, and leaves this process out', async () => {
  const program = realpathSync('/bin/sleep')
  const child = Bun.spawn([program, '60'])
  try {
    await waitUntil(
      'it executes',
      5000,
      () => surveyProcesses(['files']).programs[program]?.includes(child.pid) ?? false,
    )
    const survey = surveyProcesses(['files'])
    expect(Object.values(survey.programs).flat()).not.toContain(process.pid)
    expect(Object.values(survey.programs).flat()).not.toContain(2) // kthreadd
    expect(survey).toMatchObject({ listeners: {}, isCut: false })
  } finally {
    child.kill('SIGKILL')
    await child.exited
  }
})

test('surveyProcesses() has who listens', async () => {
  const script = `require('net').createServer().listen(0, '127.0.0.1', () => console.log('listens'))`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' })
  try {
    await child.stdout.getReader().read()
    const before = surveyProcesses(['sockets'])
    expect(Object.values(before.listeners).flat()).toContain(child.pid)
    expect(before.programs).toEqual({})
  } finally {
    child.kill('SIGKILL')
    await child.exited
  }
})

test('HostReader.processSurvey() is undefined where nobody looked', () => {
  expect(new LocalHostReader('/', ALL_GRANTS).processSurvey()).toBeUndefined()
})

test('withinBounds() keeps what was replaced before who runs what, and says that it cut', () => {
  const many = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`/opt/ö/${index}/${'x'.repeat(40)}`, [index]]),
    )
  const few = { programs: many(10), replaced: many(10), removed: {}, listeners: {}, hidden: [], isCut: false }
  expect(withinBounds(structuredClone(few))).toEqual(few)
  const cut = withinBounds({ ...structuredClone(few), programs: many(5000) })
  expect(cut).toEqual({ ...few, programs: {}, isCut: true })
  const all = { ...few, replaced: many(5000), hidden: Array.from({ length: 50_000 }, (_, index) => index) }
  const small = withinBounds(all)
  expect(Buffer.byteLength(JSON.stringify(small))).toBeLessThan(128 * 1024)
  expect(small.isCut).toBe(true)
})
