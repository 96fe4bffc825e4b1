import { type ImageName, isOfRegistry, parseImageName } from '../image-name.ts'
import type { Judgement } from './fault.ts'

/** Podman puts what it builds under localhost/. */
const isLocal = ({ registry }: ImageName, isBuiltHere: boolean) => isBuiltHere || registry === 'localhost'

/** Where an image comes from, and whether it stays the same. */
export const IMAGE: Judgement[] = [
  {
    rule: 'mutable-tag',
    aspects: ['image'],
    judge: ({ image, isLocalImage }) => {
      const name = parseImageName(image)
      if (!name || name.digest || isLocal(name, isLocalImage)) return []
      if (name.tag !== undefined && name.tag !== 'latest') return []
      return [
        {
          severity: 'warning',
          says: name.tag
            ? `uses the tag "latest" of ${image}: what that is changes`
            : `uses ${image} without a tag: what that is changes`,
          flag: `${image.replace(/:latest$/, '')}:VERSION@sha256:…`,
          key: `image: ${image.replace(/:latest$/, '')}:VERSION`,
          evidence: { image },
        },
      ]
    },
  },
  {
    rule: 'image-unpinned',
    aspects: ['image'],
    judge: ({ image, isLocalImage }) => {
      const name = parseImageName(image)
      if (!name || name.digest || isLocal(name, isLocalImage)) return []
      if (name.tag === undefined || name.tag === 'latest') return []
      return [
        {
          severity: 'info',
          says: `uses ${image} by its tag, behind which another image may be put`,
          flag: `${image}@sha256:…`,
          key: `image: ${image}@sha256:…`,
          evidence: { image },
        },
      ]
    },
  },
  {
    rule: 'untrusted-registry',
    aspects: ['image'],
    judge: ({ image, isLocalImage }, { registries }) => {
      const name = parseImageName(image)
      if (!name || isLocal(name, isLocalImage) || isOfRegistry(name, registries)) return []
      return [
        {
          severity: 'warning',
          says: `comes from ${name.registry}, which is not among the trusted registries`,
          flag: `an image of ${registries.join(', ') || 'a trusted registry'}`,
          key: `image: of a trusted registry; or add ${name.registry} to \`registries\``,
          evidence: { image, registry: name.registry },
        },
      ]
    },
  },
]
