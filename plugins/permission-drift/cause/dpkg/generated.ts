/** Something on a host that no package ships, because a program makes it while packages are installed or removed. */
interface Generator {
  /** The program that makes it. */
  by: string
  /** One of these has to be installed. */
  packages: string[]
  paths: RegExp
  /** What it makes has a proof of its own; only that it is gone is explained by the name. */
  removalOnly?: true
}

const either = (...alternatives: string[]) => new RegExp(`^(?:${alternatives.join('|')})$`)

/**
 * Files that well-known programs derive from what packages ship: called by triggers and maintainer scripts. Each
 * path is as narrow as the program's own documentation allows.
 */
export const GENERATORS: readonly Generator[] = [
  {
    by: 'ldconfig',
    packages: ['libc-bin'],
    paths: either('/etc/ld\\.so\\.cache', '/var/cache/ldconfig/aux-cache'),
  },
  {
    by: 'deb-systemd-helper',
    packages: ['init-system-helpers'],
    paths: either('/var/lib/systemd/deb-systemd-(?:user-)?helper-(?:enabled|masked)(?:/.+)?'),
  },
  {
    by: 'systemd',
    packages: ['systemd', 'udev'],
    paths: either(
      '/(?:etc|usr/lib)/udev/hwdb\\.bin',
      '/var/lib/systemd/catalog/database',
      '/etc/machine-id',
      '/var/lib/dbus/machine-id',
      '/var/lib/systemd/random-seed',
    ),
  },
  {
    by: 'debconf',
    packages: ['debconf', 'cdebconf'],
    paths: either('/var/cache/debconf/(?:config|templates|passwords)\\.dat(?:-old)?'),
  },
  {
    by: 'ucf',
    packages: ['ucf'],
    paths: either('/var/lib/ucf/(?:hashfile|registry)(?:\\.\\d)?', '/var/lib/ucf/cache/[^/]+'),
  },
  {
    by: 'mandb',
    packages: ['man-db'],
    paths: either(
      '/var/cache/man/(?:[^/]+/)*(?:index\\.db|CACHEDIR\\.TAG|cat[^/]*)',
      '/var/cache/man(?:/[^/.]+)?',
      '/var/lib/man-db/auto-update',
    ),
  },
  {
    by: 'update-ca-certificates',
    packages: ['ca-certificates', 'ca-certificates-java'],
    paths: either(
      '/etc/ssl/certs/(?:ca-certificates\\.crt|java/cacerts|adoptium/cacerts)',
      '/etc/ca-certificates\\.conf(?:\\.dpkg-old)?',
    ),
  },
  {
    removalOnly: true,
    by: 'update-ca-certificates',
    packages: ['ca-certificates'],
    paths: either('/etc/ssl/certs/[^/]+\\.(?:pem|\\d)'),
  },
  {
    by: 'update-initramfs',
    packages: ['initramfs-tools-core', 'dracut', 'dracut-core'],
    paths: either('/boot/initrd\\.img-[^/]+', '/var/lib/initramfs-tools/[^/]+'),
  },
  {
    by: 'depmod',
    packages: ['kmod'],
    paths: either('/(?:usr/)?lib/modules/[^/]+/modules\\.[a-z.]+'),
  },
  {
    by: 'update-grub',
    packages: ['grub-common'],
    paths: either(
      '/boot/grub/(?:grub\\.cfg|grubenv|fonts/[^/]+|locale/[^/]+|unicode\\.pf2|i386-pc/[^/]+|x86_64-efi/[^/]+)',
    ),
  },
  {
    by: 'linux-update-symlinks',
    packages: ['linux-base'],
    paths: either('/(?:boot/)?(?:vmlinuz|initrd\\.img)(?:\\.old)?'),
  },
  {
    removalOnly: true,
    by: 'update-rc.d',
    packages: ['init-system-helpers', 'sysv-rc', 'insserv'],
    paths: either('/etc/rc[0-6S]\\.d/[SK]\\d\\d[^/]+', '/etc/init\\.d/\\.depend\\.[a-z]+'),
  },
  {
    removalOnly: true,
    by: 'systemctl enable',
    packages: ['init-system-helpers', 'systemd'],
    paths: either(
      '/etc/systemd/(?:system|user)/(?:[^/]+\\.(?:wants|requires|upholds)/)?[^/]+\\.(?:service|socket|timer|path|target|mount|automount)',
    ),
  },
  {
    by: 'pg_createcluster',
    packages: ['postgresql-common'],
    paths: either('/etc/postgresql/\\d+(?:/[^/]+){0,2}', '/etc/postgresql/\\d+/[^/]+/conf\\.d/[^/]+'),
  },
  {
    by: 'a2enmod',
    packages: ['apache2'],
    paths: either('/var/lib/apache2/(?:conf|module|site)/enabled_by_(?:maint|admin)/[^/]+'),
  },
  { by: 'add-shell', packages: ['debianutils'], paths: either('/etc/shells') },
  {
    by: 'iconvconfig',
    packages: ['libc6', 'libc-bin'],
    paths: either('/usr/lib/(?:[^/]+/)?gconv/gconv-modules\\.cache'),
  },
  {
    by: 'locale-gen',
    packages: ['locales'],
    paths: either(
      '/usr/lib/locale/(?:locale-archive|[^/]+/LC_[A-Z]+)',
      '/etc/locale\\.gen',
      '/etc/default/locale',
    ),
  },
  { by: 'install-info', packages: ['install-info'], paths: either('/usr/share/info/dir(?:\\.old)?') },
  { by: 'update-mime', packages: ['mailcap', 'mime-support'], paths: either('/etc/mailcap') },
  {
    by: 'update-mime-database',
    packages: ['shared-mime-info'],
    paths: either(
      '/usr/share/mime/(?:aliases|generic-icons|globs2?|icons|magic|mime\\.cache|subclasses|treemagic|types|version|XMLnamespaces|[a-z-]+/[^/]+\\.xml)',
      '/usr/share/mime(?:/[a-z-]+)?',
    ),
  },
  {
    by: 'update-desktop-database',
    packages: ['desktop-file-utils'],
    paths: either('/usr/share/applications/mimeinfo\\.cache'),
  },
  {
    by: 'glib-compile-schemas',
    packages: ['libglib2.0-bin', 'libglib2.0-0', 'libglib2.0-0t64'],
    paths: either(
      '/usr/share/glib-2\\.0/schemas/gschemas\\.compiled',
      '/usr/lib/(?:[^/]+/)?gio/modules/giomodule\\.cache',
    ),
  },
  {
    by: 'gtk-update-icon-cache',
    packages: ['libgtk-3-bin', 'gtk-update-icon-cache'],
    paths: either('/usr/share/icons/[^/]+/icon-theme\\.cache'),
  },
  {
    by: 'gdk-pixbuf-query-loaders',
    packages: ['libgdk-pixbuf-2.0-0'],
    paths: either('/usr/lib/(?:[^/]+/)?gdk-pixbuf-2\\.0/[^/]+/loaders\\.cache'),
  },
  { by: 'fc-cache', packages: ['fontconfig'], paths: either('/var/cache/fontconfig/[^/]+') },
  {
    by: 'update-xmlcatalog',
    packages: ['xml-core', 'sgml-base'],
    paths: either(
      '/etc/xml/[^/]+\\.xml(?:\\.old)?',
      '/etc/xml/catalog(?:\\.old)?',
      '/etc/sgml/[^/]+\\.cat(?:\\.old)?',
      '/etc/sgml/catalog(?:\\.old)?',
      '/var/lib/(?:xml-core|sgml-base)/[^/]+',
    ),
  },
  { by: 'helptags', packages: ['vim-runtime'], paths: either('/usr/share/vim/vim\\d+/doc/tags(?:-[a-z]+)?') },
  {
    removalOnly: true,
    by: 'py3clean',
    packages: ['python3-minimal'],
    paths: either('/usr/(?:lib|share)/(?:.+/)?__pycache__(?:/[^/]+\\.pyc)?'),
  },
  {
    removalOnly: true,
    by: 'update-alternatives',
    packages: ['dpkg'],
    paths: either('/etc/alternatives/[^/]+'),
  },
  { by: 'update-alternatives', packages: ['dpkg'], paths: either('/var/log/alternatives\\.log') },
  {
    by: 'update-passwd',
    packages: ['base-passwd', 'passwd', 'login'],
    paths: either('/etc/\\.pwd\\.lock', '/etc/sub[ug]id-?'),
  },
]

/** Working files of dpkg and apt themselves: data, no scripts. They change without packages being installed, too. */
const WORKING_FILES = either(
  '/var/lib/dpkg/(?:status|available|diversions|statoverride)(?:-(?:old|new))?',
  '/var/lib/dpkg/(?:lock|lock-frontend|cmethopt|arch|format)',
  '/var/lib/dpkg/(?:triggers|updates|alternatives|parts)/[^/]+',
  '/var/lib/apt/(?:extended_states|daily_lock|cdroms\\.list)',
  '/var/lib/apt/lists/(?:lock|partial|auxfiles|partial/[^/]+|[^/]+_(?:InRelease|Release|Release\\.gpg|Packages|Sources|Index|Translation-[^/]+|Contents-[^/]+|Components-[^/]+)(?:\\.[a-z0-9]+)?)',
  '/var/lib/apt/(?:mirrors|periodic)/[^/]+',
  '/var/cache/apt/(?:pkgcache|srcpkgcache)\\.bin',
  '/var/cache/apt/archives/(?:lock|partial|partial/[^/]+|[^/]+\\.deb)',
  '/var/log/(?:dpkg\\.log|bootstrap\\.log)(?:\\.\\d+(?:\\.gz)?)?',
  '/var/log/apt/(?:history|term|eipp|archive)\\.log(?:\\.\\d+)?(?:\\.[gx]z)?',
  '/var/backups/(?:dpkg\\.(?:status|diversions|statoverride|arch)|alternatives\\.tar|apt\\.extended_states)\\.\\d+(?:\\.gz)?',
)

export function isWorkingFile(path: string): boolean {
  return WORKING_FILES.test(path)
}

/** The program that makes (or takes away) a path, where one of its packages is installed. */
export function generatorOf(
  path: string,
  isInstalled: (name: string) => boolean,
  isRemoval = false,
): string | undefined {
  return GENERATORS.find(
    ({ paths, packages, removalOnly }) =>
      (isRemoval || !removalOnly) && paths.test(path) && packages.some(isInstalled),
  )?.by
}

/** Of dpkg's own control files the package that they are of: "/var/lib/dpkg/info/cron.postinst" → "cron". */
export function controlFileOf(path: string): string | undefined {
  return /^\/var\/lib\/dpkg\/info\/([a-z0-9][a-z0-9.+-]*?)(?::[a-z0-9-]+)?\.[a-z0-9]+$/.exec(path)?.[1]
}

/** The source of a compiled Python file: "/a/__pycache__/b.cpython-311.pyc" → "/a/b.py". */
export function pythonSourceOf(path: string): string | undefined {
  const match = /^(.*)\/__pycache__\/([^/]+?)\.(?:cpython|pypy)-?\d+(?:\.opt-\d)?\.pyc$/.exec(path)
  return match ? `${match[1]}/${match[2]}.py` : undefined
}

/** Absolute paths that a script names. */
export function pathsIn(script: string): Set<string> {
  return new Set(
    script.match(/(?<![\w$}/])\/(?:etc|usr|var|opt|srv|boot|lib|root|home)\/[\w.+@:/-]*[\w@+-]/g) ?? [],
  )
}

/** Directories for data, which a script may name instead of each file in it. */
const DATA_DIRECTORY = /^\/var\/(?:lib|cache|log|spool|www|backups|mail)\/[^/]+/
/** What a program puts beside a file that it was told to make. */
const BESIDE = /^(.+?)(?:\.pub|-|~|\.old|\.bak|\.lock|\.dpkg-(?:old|dist|new)|\.ucf-(?:old|dist))$/

/** Whether a path is among named ones, beside one of them, or within a directory for data that is. */
export function isNamed(path: string, named: ReadonlySet<string>): boolean {
  if (named.has(path) || named.has(BESIDE.exec(path)?.[1] ?? '')) return true
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const parent = path.slice(0, end)
    if (!DATA_DIRECTORY.test(parent)) return false
    if (named.has(parent)) return true
  }
  return false
}
