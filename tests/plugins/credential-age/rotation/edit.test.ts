import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseEnvFile } from '../../../../plugins/credential-age/parse/parse-env-file.ts'
import { setVariable } from '../../../../plugins/credential-age/rotation/edit-env.ts'
import { addToken, removeToken, tokenLines } from '../../../../plugins/credential-age/rotation/edit-tokens.ts'

test.each([
  ['API_TOKEN=old\n', 'API_TOKEN=new\n'],
  ['# API_TOKEN=x\nA=1\nexport API_TOKEN="old"  # c\nB=2', '# API_TOKEN=x\nA=1\nexport API_TOKEN=new\nB=2'],
  ['API_TOKEN=first\nAPI_TOKEN=old\n', 'API_TOKEN=first\nAPI_TOKEN=new\n'],
  ["X='a\nb'\nAPI_TOKEN=old\n", "X='a\nb'\nAPI_TOKEN=new\n"],
])('setVariable() of %j gives %j', (before, after) => {
  expect(setVariable(before, 'API_TOKEN', 'new')).toBe(after)
})

test.each([
  ['A=1\n', 'new'],
  ['API_TOKEN="old\nmore"\nB=2\n', 'new'],
  ["X='\nAPI_TOKEN=not a variable\n'\nB=2\n", 'new'],
  ['API_TOKEN=old\n', "it's"],
  ['API_TOKEN=old\n', 'two\nlines'],
  ['API_TOKEN=old\n', 'back\\slash'],
])('setVariable() refuses %j with %j rather than guess', (text, value) => {
  expect(() => setVariable(text, 'API_TOKEN', value)).toThrow('Cannot')
})

test('setVariable() changes one value and no other, whatever it is', () => {
  const value = fc.string({
    unit: fc.constantFrom(...'abcXYZ019-_.+/=:$#"!*&;|<>(){}'),
    minLength: 1,
    maxLength: 40,
  })
  fc.assert(
    fc.property(value, fc.stringMatching(/^[a-z0-9]{1,20}$/), (wanted, other) => {
      const text = `A_TOKEN=${other}\nexport B_TOKEN="${other}x"\n#end\n`
      const { members } = parseEnvFile(Buffer.from(setVariable(text, 'A_TOKEN', wanted)), [
        'A_TOKEN',
        'B_TOKEN',
      ])
      expect(members.map((member) => member.value)).toEqual([wanted, `${other}x`])
    }),
    { seed: 7, numRuns: 300 },
  )
})

const OLD = 'a'.repeat(10) + '1'.repeat(10)
const OTHER = 'b'.repeat(10) + '2'.repeat(10)
const NEW = 'c'.repeat(10) + '3'.repeat(10)

test.each([
  [
    `# billing\n${OLD}\n# ci\n${OTHER}\n`,
    `# billing\n${OLD}\n# billing 2027-03-01\n${NEW}\n# ci\n${OTHER}\n`,
  ],
  [`${OLD} # billing\n${OTHER} # ci`, `${OLD} # billing\n${NEW} # billing 2027-03-01\n${OTHER} # ci`],
  [`${OLD}\n`, `${OLD}\n# 2027-03-01\n${NEW}\n`],
])('addToken() to %j gives %j, and removeToken() takes the old one away', (before, both) => {
  const [old] = tokenLines(before)
  if (!old) throw new Error('no token')
  expect(addToken(before, old, NEW, '2027-03-01')).toBe(both)
  const after = removeToken(both, OLD)
  expect(tokenLines(after).map(({ text }) => text)).toEqual(
    tokenLines(both)
      .map(({ text }) => text)
      .filter((text) => text !== OLD),
  )
  expect(tokenLines(after)[0]?.name).toBe(old.name)
  expect(removeToken(both, 'x'.repeat(20))).toBe(both)
})
