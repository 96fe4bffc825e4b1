import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { interpolate } from '../../../plugins/containers/compose/interpolate.ts'
import { parseCompose } from '../../../plugins/containers/compose/parse-compose.ts'
import { parseService } from '../../../plugins/containers/compose/parse-service.ts'
import { configSchema } from '../../../plugins/containers/config.ts'
import { parseContainer, traitsOf } from '../../../plugins/containers/engine/parse-container.ts'
import { containerShape, infoShape } from '../../../plugins/containers/engine/shapes.ts'
import { parseImageName } from '../../../plugins/containers/image-name.ts'
import { judgeContainer } from '../../../plugins/containers/judge/container.ts'
import { clientOffers, listensWithoutTls, unitOffers } from '../../../plugins/containers/system/judge-api.ts'
import { parseSubordinates } from '../../../plugins/containers/system/rootless.ts'
import { judgeSudoers, judgeSudoLog } from '../../../plugins/containers/system/sudo.ts'
import { dockerContainer } from '../../kit/docker-server.ts'

const seed = 20_270_115
const policy = configSchema.parse({})

const word = fc.constantFrom(
  'services:',
  'web:',
  '  ',
  '    ',
  '\n',
  '- ',
  '[',
  ']',
  '{',
  '}',
  '&a',
  '*a',
  '<<:',
  'image:',
  'ports:',
  '8080:80',
  'volumes:',
  '/:/x',
  'cap_add:',
  'ALL',
  '$' + '{A',
  '$' + '{A:-b}',
  '$$',
  'user:',
  '"',
  "'",
  '!!binary',
  '|',
  '>',
  '#',
  ': ',
  ',',
  '\t',
  '\u0000',
)

test('parseCompose() of anything is services or an error', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => {
      let services: ReturnType<typeof parseCompose>['services'] = []
      try {
        services = parseCompose('/c.yaml', words.join(''), new Map()).services
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
      for (const service of services) {
        judgeContainer(
          parseService('/c.yaml', service.name, [{ path: '/c.yaml', directory: '/', service }]),
          policy,
        )
      }
    }),
    { seed, numRuns: 1500 },
  )
})

test('any settings under the names of compose are judged, or not known', () => {
  const keys = [
    'image',
    'user',
    'ports',
    'volumes',
    'tmpfs',
    'cap_add',
    'cap_drop',
    'deploy',
    'privileged',
    'dns',
    'networks',
    'pid',
    'security_opt',
    'mem_limit',
  ]
  const settings = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
  fc.assert(
    fc.property(settings, (given) => {
      // Without an image it would be a part of another file.
      const text = JSON.stringify({ services: { web: { build: '.', ...given } } })
      const [parsed] = parseCompose('/c.yaml', text, new Map()).services
      if (!parsed) throw new Error('the service is not there')
      const { findings, blind } = judgeContainer(
        parseService('/c.yaml', 'web', [{ path: '/c.yaml', directory: '/', service: parsed }]),
        policy,
      )
      for (const finding of findings) expect(finding.evidence).toMatchObject({ path: '/c.yaml', line: 1 })
      expect(findings.length + blind.length).toBeGreaterThan(0)
    }),
    { seed, numRuns: 500 },
  )
})

test('an answer of an engine in which anything is replaced is refused, or judged', () => {
  const good = dockerContainer('web')
  const host = Object.keys(good.HostConfig as object)
  const replaced = fc.tuple(fc.constantFrom(...host), fc.jsonValue({ maxDepth: 3 }))
  const traits = traitsOf('docker', 'docker', infoShape.parse({}))
  fc.assert(
    fc.property(fc.array(replaced, { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = {
        ...good,
        HostConfig: { ...(good.HostConfig as object), ...Object.fromEntries(changes) },
      }
      const parsed = containerShape.safeParse(changed)
      if (parsed.success) judgeContainer(parseContainer(parsed.data, traits, undefined), policy)
    }),
    { seed, numRuns: 1000 },
  )
})

test('texts of any kind are read without an error, and in time', () => {
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom(
        'ExecStart=',
        '\\',
        'ALL=(ALL) ',
        '/usr/bin/docker',
        ':',
        '0',
        '\n',
        'tcp://',
        'DOCKER_HOST=',
        '$' + '{',
      ),
    ),
    { maxLength: 80 },
  )
  const startedMs = performance.now()
  fc.assert(
    fc.property(lines, (parts) => {
      const text = parts.join('')
      unitOffers('/u', text, false)
      clientOffers('/c', text)
      listensWithoutTls(text)
      parseSubordinates(text)
      judgeSudoers('/s', text)
      judgeSudoLog(text, ['alice'])
      parseImageName(text)
      interpolate(text, new Map())
    }),
    { seed, numRuns: 1000 },
  )
  // What a pattern could be led to do by long repetitions.
  for (const piece of ['a:', '$' + '{', '-H ', 'x/', '\\\n', ' \t', '@sha256:a', '(', 'sudo: ']) {
    const long = piece.repeat(20_000)
    unitOffers('/u', `ExecStart=${long}`, false)
    judgeSudoers('/s', `alice ALL=${long}`)
    judgeSudoLog(`sudo: alice : ${long}`, ['alice'])
    parseImageName(long)
    interpolate(long, new Map())
    clientOffers('/c', `DOCKER_HOST=${long}`)
  }
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})
