import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { createApp } from '../../../agent/api/app.ts'
import { listen } from '../../../agent/api/listen.ts'
import { NOW, type TestHost, testHost } from './host.ts'

// The page in a real browser. Where Chromium is not installed these tests are skipped (Debian: chromium).

const executablePath = Bun.which('chromium') ?? Bun.which('chromium-browser')
const ARGUMENTS = [
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--host-resolver-rules=MAP rebound.example.com 127.0.0.1',
  // Chromium has no sandbox for root.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

interface Visit extends AsyncDisposable {
  host: TestHost
  page: Page
  url: string
  /** What the browser complained about: a broken policy, a missing file. */
  complaints: string[]
}

describe.skipIf(!executablePath)('in Chromium (skipped where it is not installed)', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ARGUMENTS })
  })

  afterAll(() => browser.close())

  async function visit(options: BrowserContextOptions = {}): Promise<Visit> {
    const host = testHost({ filled: true })
    const app = createApp(host.deps, 'tcp')
    const listener = await listen({
      transport: 'tcp',
      api: { listen: '127.0.0.1:0' },
      app,
      hasToken: () => false,
    })
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
    await page.goto(listener.url)
    return {
      host,
      page,
      url: listener.url,
      complaints,
      async [Symbol.asyncDispose]() {
        await context.close()
        await listener.stop()
        host[Symbol.dispose]()
      },
    }
  }

  async function signIn(page: Page, token: string): Promise<void> {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
  }

  test('one signs in, runs a job and signs out, without any script', async () => {
    await using visited = await visit({ javaScriptEnabled: false })
    const { host, page, complaints } = visited
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Not allowed to look')
    await signIn(page, host.token('operate', 'florence'))
    await page.getByRole('button', { name: 'Run permissions now' }).click()
    await page.getByRole('cell', { name: 'florence' }).waitFor()
    expect(host.asked).toEqual([{ job: 'permissions', actor: 'florence' }])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in for details' }).waitFor()
    expect(await page.getByText('nightly-backup').count()).toBe(0)
    expect(complaints).toEqual([])
  })

  test('a wrong token is told in words, and the form is there again', async () => {
    await using visited = await visit()
    const { page } = visited
    await page.getByLabel('Token').fill('reeve_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByRole('alert').textContent()).toContain('unknown, expired or revoked')
    expect(await page.getByLabel('Token').inputValue()).toBe('')
  })

  test('nothing is cut off or overflows, on a phone as on a wide screen', async () => {
    await using visited = await visit()
    const { host, page } = visited
    await signIn(page, host.token('admin'))
    await page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
    for (const width of [320, 390, 768, 1024, 1160, 1280]) {
      await page.setViewportSize({ width, height: 800 })
      const scrollWidth = await page.evaluate<number>('document.documentElement.scrollWidth')
      expect(scrollWidth).toBeLessThanOrEqual(width)
      const outside = await page.evaluate(`
        [...document.querySelectorAll('main *')].filter((element) => {
          const box = element.getBoundingClientRect()
          return !element.closest('.unseen, thead') && box.width > 0 && (box.right > ${width} || box.left < 0)
        }).map((element) => element.outerHTML.slice(0, 100))`)
      expect({ width, outside }).toEqual({ width, outside: [] })
    }
  })

  test('all text has enough contrast, in light and in dark (WCAG 2, 4.5 to 1)', async () => {
    await using visited = await visit()
    const { host, page } = visited
    await signIn(page, host.token('admin'))
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const pairs = await page.evaluate<[string, string, string][]>(`
        [...document.querySelectorAll('body *')].filter((element) =>
          !element.closest('.stale, .unseen, svg, button:disabled') &&
          [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')
        ).map((element) => {
          let behind = element
          while (behind.parentElement && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
            behind = behind.parentElement
          }
          const { color } = getComputedStyle(element)
          return [element.textContent.slice(0, 40), color, getComputedStyle(behind).backgroundColor]
        })`)
      expect(pairs.length).toBeGreaterThan(100)
      const poor = pairs.filter(([, ink, paper]) => contrast(ink, paper) < 4.5)
      expect({ colorScheme, poor }).toEqual({ colorScheme, poor: [] })
    }
  })

  test('every state is told by its words, not by its colour alone', async () => {
    await using visited = await visit()
    const { host, page } = visited
    await signIn(page, host.token('read'))
    const states = await page.locator('.jobs tbody tr td:first-child').allTextContents()
    expect(states).toEqual([
      'not allowed',
      'failed',
      'overdue',
      'blind',
      'critical',
      'not run yet',
      'ok',
      'ok',
      'disabled',
    ])
  })

  test('a page that was left open says that it may not be true any more', async () => {
    await using visited = await visit()
    const { page } = visited
    const warning = page.getByText('more than two minutes old')
    expect(await warning.isVisible()).toBe(false)
    const seconds = await page.evaluate(`
      document.getAnimations().map((animation) => {
        const { delay } = animation.effect.getTiming()
        animation.finish()
        return delay / 1000
      })`)
    expect(seconds).toEqual([120, 120])
    expect(await warning.isVisible()).toBe(true)
    expect(await page.evaluate<string>("getComputedStyle(document.querySelector('main')).filter")).toBe(
      'grayscale(1)',
    )
  })

  test('a page on another port cannot use the session, though it is the same site', async () => {
    await using visited = await visit()
    const { host, page, url } = visited
    await signIn(page, host.token('admin'))
    const form = `<form method="post" action="${url}/run"><input name="job" value="permissions"><button>Win</button></form>`
    using attacker = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Response(form, { headers: { 'Content-Type': 'text/html' } }),
    })
    await page.goto(attacker.url.href)
    const [answer] = await Promise.all([page.waitForResponse(`${url}/run`), page.getByText('Win').click()])
    expect(answer.status()).toBe(403)
    expect(host.asked).toEqual([])
  })

  test('a name that another site points to this machine shows nothing', async () => {
    await using visited = await visit()
    const { page, url } = visited
    const answer = await page.goto(url.replace('127.0.0.1', 'rebound.example.com'))
    expect(answer?.status()).toBe(421)
    expect(await page.content()).not.toContain('Not allowed to look')
  })

  test('a running job shows how far it is', async () => {
    await using visited = await visit()
    const { host, page } = visited
    const progress = { done: 25, total: 100, label: 'reading files' }
    host.deps.running = () => [{ job: 'nightly-backup', runId: 9, startedAt: NOW - 42_000, progress }]
    await signIn(page, host.token('operate'))
    expect(await page.getByRole('progressbar', { name: 'reading files' }).getAttribute('value')).toBe('25')
    expect(await page.getByRole('button', { name: 'Run nightly-backup now' }).isDisabled()).toBe(true)
  })
})

/** Contrast of two opaque colours as "rgb(r, g, b)", after WCAG 2.2. */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const channels = colour.match(/^rgb\((\d+), (\d+), (\d+)\)$/)?.slice(1)
  if (!channels) throw new Error(`not an opaque colour: ${colour}`)
  const [red = 0, green = 0, blue = 0] = channels.map((channel) => {
    const part = Number(channel) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
