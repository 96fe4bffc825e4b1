import icon from './icon.svg' with { type: 'text' }
import style from './style.css' with { type: 'text' }

/** Asked for under a name that changes with what it holds, so a browser may keep it. */
export const styleUrl = `/page/style.css?v=${Bun.hash(style).toString(36)}`
export const iconUrl = `/page/icon.svg?v=${Bun.hash(icon).toString(36)}`

const CACHED = { 'Cache-Control': 'public, max-age=604800, immutable' }

export function styleSheet(): Response {
  return new Response(style, { headers: { ...CACHED, 'Content-Type': 'text/css; charset=utf-8' } })
}

export function iconImage(): Response {
  return new Response(icon, { headers: { ...CACHED, 'Content-Type': 'image/svg+xml' } })
}
