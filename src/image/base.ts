import type { LayerEntry } from './layer.ts'

/** Root's ids are not used: Kubernetes' `runAsNonRoot` asks for a number. */
export const nonroot = { uid: 65_532, gid: 65_532 } as const

/** Where the service's files lie, and where it starts. */
export const appFolder = 'app'

/** A folder of the service's own user, for `data: true`; a volume takes its owner from here. */
export const dataFolder = 'data'

const certificates = 'etc/ssl/certs/ca-certificates.crt'
const timeZones = 'usr/share/zoneinfo.zip'

export interface BaseSources {
  /** PEM, one certificate each: those Node brings along, whatever this machine trusts. */
  readonly rootCertificates: readonly string[]
  /** Go's lib/time/zoneinfo.zip. */
  readonly timeZones?: Buffer
}

/**
 * What a static Go program expects of a system, and nothing else: the same bytes on every machine that has the same
 * certificates and time zones at hand.
 */
export function baseEntries(sources: BaseSources): LayerEntry[] {
  const file = (path: string, text: string | Buffer): LayerEntry => {
    const bytes = Buffer.from(text)
    return { path, kind: 'file', mode: 0o644, size: bytes.length, bytes }
  }
  const folder = (path: string, mode = 0o755, owner: { uid?: number; gid?: number } = {}): LayerEntry => {
    return { path, kind: 'folder', mode, size: 0, ...owner }
  }
  return [
    folder(dataFolder, 0o750, nonroot),
    folder('etc'),
    file('etc/group', group),
    file('etc/mime.types', mimeTypes),
    file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\n'),
    file('etc/passwd', passwd),
    file('etc/services', services),
    folder('etc/ssl'),
    folder('etc/ssl/certs'),
    file(certificates, sources.rootCertificates.map((pem) => `${pem.trim()}\n`).join('')),
    folder('home'),
    folder('home/nonroot', 0o700, nonroot),
    folder('root', 0o700),
    folder('tmp', 0o1777),
    folder('usr'),
    folder('usr/share'),
    ...(sources.timeZones === undefined ? [] : [file(timeZones, sources.timeZones)]),
    folder('var'),
    folder('var/tmp', 0o1777),
  ]
}

/** Variables that belong to the base; Go reads time zones from a zip where ZONEINFO names one. */
export function baseEnvironment({ hasTimeZones }: { hasTimeZones: boolean }): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    SSL_CERT_FILE: `/${certificates}`,
    ...(hasTimeZones ? { ZONEINFO: `/${timeZones}` } : {}),
  }
}

const passwd = [
  'root:x:0:0:root:/root:/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
  '',
].join('\n')

const group = ['root:x:0:', 'tty:x:5:', 'staff:x:50:', 'nobody:x:65534:', 'nonroot:x:65532:', ''].join('\n')

/** For net.LookupPort: what servers and clients are asked for by name. */
const services = `${[
  'ftp-data 20/tcp', 'ftp 21/tcp', 'ssh 22/tcp', 'telnet 23/tcp', 'smtp 25/tcp mail', 'domain 53/tcp', 'domain 53/udp',
  'http 80/tcp www', 'kerberos 88/tcp', 'kerberos 88/udp', 'pop3 110/tcp pop-3', 'sunrpc 111/tcp portmapper',
  'ntp 123/udp', 'imap2 143/tcp imap', 'snmp 161/udp', 'ldap 389/tcp', 'https 443/tcp', 'https 443/udp',
  'submissions 465/tcp', 'syslog 514/udp', 'submission 587/tcp', 'ldaps 636/tcp', 'domain-s 853/tcp', 'imaps 993/tcp',
  'pop3s 995/tcp', 'socks 1080/tcp', 'mqtt 1883/tcp', 'nfs 2049/tcp', 'mysql 3306/tcp', 'svn 3690/tcp', 'sip 5060/udp',
  'postgresql 5432/tcp', 'amqps 5671/tcp', 'amqp 5672/tcp', 'redis 6379/tcp', 'http-alt 8080/tcp', 'secure-mqtt 8883/tcp',
].map((line) => line.replace(' ', '\t')).join('\n')}\n` // prettier-ignore

/** For mime.TypeByExtension, beyond the few that Go knows by itself. */
const mimeTypes = `${[
  'application/atom+xml atom', 'application/geo+json geojson', 'application/gzip gz', 'application/java-archive jar',
  'application/json json map', 'application/ld+json jsonld', 'application/manifest+json webmanifest', 'application/msword doc',
  'application/octet-stream bin', 'application/pdf pdf', 'application/rss+xml rss', 'application/rtf rtf',
  'application/toml toml', 'application/vnd.ms-excel xls', 'application/vnd.ms-powerpoint ppt',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation pptx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document docx', 'application/wasm wasm',
  'application/x-7z-compressed 7z', 'application/x-bzip2 bz2', 'application/x-tar tar', 'application/x-xz xz',
  'application/xhtml+xml xhtml', 'application/xml xml xsl', 'application/yaml yaml yml', 'application/zip zip',
  'application/zstd zst', 'audio/aac aac', 'audio/flac flac', 'audio/mp4 m4a', 'audio/mpeg mp3', 'audio/ogg oga ogg opus',
  'audio/wav wav', 'audio/webm weba', 'font/otf otf', 'font/ttf ttf', 'font/woff woff', 'font/woff2 woff2', 'image/avif avif',
  'image/bmp bmp', 'image/gif gif', 'image/jpeg jpg jpeg', 'image/png png', 'image/svg+xml svg', 'image/tiff tif tiff',
  'image/vnd.microsoft.icon ico', 'image/webp webp', 'text/calendar ics', 'text/css css', 'text/csv csv', 'text/html html htm',
  'text/javascript js mjs', 'text/markdown md', 'text/plain txt text log conf', 'text/tab-separated-values tsv',
  'text/vcard vcf', 'video/mp4 mp4', 'video/mpeg mpeg mpg', 'video/ogg ogv', 'video/quicktime mov', 'video/webm webm',
].map((line) => line.replace(' ', '\t')).join('\n')}\n` // prettier-ignore
