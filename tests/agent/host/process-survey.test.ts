import { expect, test } from 'bun:test'
import { realpathSync } from 'node:fs'
import { ALL_GRANTS } from '../../../agent/host/grants.ts'
import { surveyProcesses } from '../../../agent/host/process-survey.ts'
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
