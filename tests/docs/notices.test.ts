import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { notices } from '../../scripts/notices.ts'

test('notices() has the license of every library that the binary is made of, and of what these need', () => {
  const text = notices()
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dir, '../../package.json'), 'utf8'))
  for (const [name, version] of Object.entries(dependencies)) expect(text).toContain(`\n${name} ${version} (`)
  expect(text).toContain('\nfast-sha256 ')
  expect(text).toContain('GNU LESSER GENERAL PUBLIC LICENSE')
})
