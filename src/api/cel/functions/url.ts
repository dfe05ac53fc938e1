import { CelError } from '../source.ts';
import { boolType, listOf, mapOf, opaque, stringType } from '../types.ts';
import { OpaqueValue, PlainList, PlainMap, type Value } from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const url = opaque('kubernetes.URL');

class UrlValue extends OpaqueValue {
  readonly typeName = 'kubernetes.URL';
  /** Undefined for an absolute path. */
  readonly parsed: URL;
  readonly text: string;
  constructor(text: string, parsed: URL) {
    super();
    this.text = text;
    this.parsed = parsed;
  }
  get isPath(): boolean {
    return this.text.startsWith('/');
  }
  equals(other: Value): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
}

// As Go's url.ParseRequestURI: an absolute URL, or an absolute path.
function parse(text: string): UrlValue | undefined {
  const isPath = text.startsWith('/');
  if ((!isPath && !/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) || /\p{Cc}|%(?![0-9a-fA-F]{2})/u.test(text)) {
    return undefined;
  }
  if (/^[^/]*\/\/[^/?]*[ <>"]/.test(text)) return undefined;
  try {
    return new UrlValue(text, isPath ? new URL(`path:${text}`) : new URL(text));
  } catch {
    return undefined;
  }
}

/** `host:port` as it is written: JavaScript leaves out a scheme's own port. */
const hostOf = (value: UrlValue) =>
  value.isPath ? '' : (/^[^/]*\/\/(?:[^/?#@]*@)?([^/?#]*)/.exec(value.text)?.[1] ?? '');

/** Kubernetes' URL library. */
export const urlLibrary = library(
  fn('url', 'string_to_url', [stringType], url, (text: string) => {
    const parsed = parse(text);
    if (!parsed)
      throw new CelError(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    return parsed;
  }),
  fn('isURL', 'is_url_string', [stringType], boolType, (text: string) => parse(text) !== undefined),
  member('getScheme', 'url_get_scheme', [url], stringType, (x: UrlValue) =>
    x.isPath ? '' : x.parsed.protocol.slice(0, -1),
  ),
  member('getHost', 'url_get_host', [url], stringType, hostOf),
  member('getHostname', 'url_get_hostname', [url], stringType, (x: UrlValue) =>
    hostOf(x)
      .replace(/:\d*$/, '')
      .replace(/^\[(.*)\]$/, '$1'),
  ),
  member('getPort', 'url_get_port', [url], stringType, (x: UrlValue) => /:(\d+)$/.exec(hostOf(x))?.[1] ?? ''),
  member('getEscapedPath', 'url_get_escaped_path', [url], stringType, (x: UrlValue) => {
    const path = x.isPath ? x.text : (/^[^/]*\/\/[^/?#]*(\/[^?#]*)?/.exec(x.text)?.[1] ?? '');
    return path.replace(/[?#].*$/, '').replaceAll(' ', '%20');
  }),
  member('getQuery', 'url_get_query', [url], mapOf(stringType, listOf(stringType)), (x: UrlValue) => {
    const values = new Map<string, string[]>();
    for (const [key, value] of x.parsed.searchParams) values.set(key, [...(values.get(key) ?? []), value]);
    return new PlainMap([...values].map(([key, all]) => [key, new PlainList(all)] as const));
  }),
);
