/** @jsxImportSource hono/jsx */
import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { ApiDeps } from '../deps.ts'
import { iconUrl, styleUrl } from './assets.ts'
import { Details } from './details.tsx'
import { loadPage, type PageModel, type Viewer } from './model.ts'
import { absoluteTime } from './parts.tsx'
import { SignIn, Summary } from './summary.tsx'

/** The status page as HTML: no script, no inline style. */
export function renderPage(deps: ApiDeps, viewer: Viewer): string {
  const model = loadPage(deps, viewer)
  return html`<!doctype html>${<Page model={model} />}`.toString()
}

function Page({ model }: { model: PageModel }) {
  const { viewer, summary, details } = model
  return (
    <Frame model={model}>
      {viewer.problem !== undefined && (
        <p class="notice" role="alert">
          {viewer.problem}
        </p>
      )}
      {summary && <Summary model={model} summary={summary} />}
      {details ? <Details details={details} now={model.now} /> : <SignIn stranger={summary === undefined} />}
    </Frame>
  )
}

function Frame({ model, children }: { model: PageModel; children: Child }) {
  const { viewer, hostname, version } = model
  const known = model.summary !== undefined
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        {viewer.reloadSeconds !== undefined && (
          <meta
            http-equiv="refresh"
            content={`${viewer.reloadSeconds}; url=/?reload=${viewer.reloadSeconds}`}
          />
        )}
        <title>{known ? `${hostname}: ${model.summary?.headline}` : 'reeve'}</title>
        <link rel="stylesheet" href={styleUrl} />
        <link rel="icon" type="image/svg+xml" href={iconUrl} />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <header class="top">
          <p class="brand">
            <img src={iconUrl} alt="" width="28" height="28" />
            <span>reeve</span>
            {known && <span class="host">{hostname}</span>}
          </p>
          {viewer.caller && viewer.canSignOut && (
            <form method="post" action="/sign-out" class="who">
              <span>
                {viewer.caller.actor} <span class="none">({viewer.caller.scope})</span>
              </span>
              <button type="submit" class="plain">
                Sign out
              </button>
            </form>
          )}
        </header>
        {known && (
          <p class="stale">
            This page is more than two minutes old: it may not be true any more. <a href="/">Load it again</a>
          </p>
        )}
        <main id="main">{children}</main>
        <footer>
          <p>
            reeve {known && version} · made {absoluteTime(model.now)}
          </p>
          {known && (
            <p>
              {viewer.reloadSeconds === undefined ? (
                <a href="/?reload=60">Reload every minute</a>
              ) : (
                <a href="/">Stop reloading every minute</a>
              )}
            </p>
          )}
        </footer>
      </body>
    </html>
  )
}
