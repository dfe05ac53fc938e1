import { posix } from 'node:path';

/** Where the links of a page lead that was fetched through this server. */
export interface LinkBase {
  /** What stands before the page's own paths: `/api/v1/namespaces/default/pods/web/proxy`. */
  prefix: string;
  /** What the server of the page calls itself. */
  host: string;
  /** The host that the client asked. */
  askedHost: string;
}

const parts = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/is;

/** A link to the page's own server leads through this one; all others stay as they are. */
export function rewriteLink(link: string, { prefix, host, askedHost }: LinkBase): string {
  const [, scheme, authority, path = '', rest = ''] = parts.exec(link) ?? [];
  const named = authority?.slice(authority.lastIndexOf('@') + 1);
  if ((named && named !== host && named !== askedHost) || !path.startsWith('/')) return link;
  // Who was asked by that name goes on being asked by it.
  const isAsked = named !== undefined && named === askedHost;
  const origin = isAsked ? `${scheme ? `${scheme}:` : ''}//${authority}` : '';
  if (path.startsWith(prefix)) return origin + path + rest;
  const joined = posix.join(prefix, path);
  return origin + (path.endsWith('/') && !joined.endsWith('/') ? `${joined}/` : joined) + rest;
}

/** The attributes of HTML that hold addresses, by element. Source: https://www.w3.org/TR/REC-html40/index/attributes.html */
const addresses: Record<string, readonly string[]> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

const attribute = /([^\s"'>/=]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))/g;

/** A start tag, whole, with its links rewritten. */
function rewriteTag(tag: string, rewrite: (link: string) => string): string {
  const name = /^<([a-z][^\s/>]*)/i.exec(tag)?.[1]?.toLowerCase() ?? '';
  const known = addresses[name];
  if (!known) return tag;
  const head = tag.slice(0, name.length + 1);
  return (
    head +
    tag
      .slice(head.length)
      .replace(attribute, (whole, key: string, equals: string, double, single, bare) =>
        known.includes(key.toLowerCase())
          ? `${key}${equals}"${rewrite(double ?? single ?? bare ?? '')}"`
          : whole,
      )
  );
}

/** What stands in these elements is no markup. */
const rawText = ['script', 'style', 'textarea', 'title', 'xmp', 'iframe', 'noembed', 'noframes'];
/** A tag or comment that is not closed within this many characters is passed on as it is. */
export const tagCharactersMax = 64 * 1024;

/** Rewrites the links of HTML that comes in pieces; what is not known yet to be whole waits for the next piece. */
export class LinkRewriter {
  readonly #rewrite: (link: string) => string;
  #rest = '';
  /** The element whose text we are in. */
  #raw: string | undefined;

  constructor(rewrite: (link: string) => string) {
    this.#rewrite = rewrite;
  }

  write(piece: string): string {
    this.#rest += piece;
    let out = '';
    for (let taken = this.#take(); taken !== undefined; taken = this.#take()) out += taken;
    if (this.#rest.length > tagCharactersMax) out += this.end();
    return out;
  }

  /** What is left when nothing more comes. */
  end(): string {
    const rest = this.#rest;
    this.#rest = '';
    return rest;
  }

  /** The next text, comment or tag as it is sent on; undefined until more has come. */
  #take(): string | undefined {
    const rest = this.#rest;
    if (rest === '') return undefined;
    if (this.#raw) {
      const at = rest.toLowerCase().indexOf(`</${this.#raw}`);
      if (at < 0) return this.#cut(Math.max(0, rest.length - this.#raw.length - 1));
      this.#raw = undefined;
      return this.#cut(at + 2);
    }
    if (rest[0] !== '<') {
      const at = rest.indexOf('<');
      return this.#cut(at < 0 ? rest.length : at);
    }
    if (rest.startsWith('<!--')) {
      const at = rest.indexOf('-->', 4);
      return at < 0 ? undefined : this.#cut(at + 3);
    }
    if (rest.length < 4 && '<!--'.startsWith(rest)) return undefined;
    if (!/^<[a-z]/i.test(rest)) return this.#cut(1);
    const end = endOfTag(rest);
    if (end < 0) return undefined;
    const tag = this.#cut(end)!;
    const name = /^<([a-z]+)/i.exec(tag)![1]!.toLowerCase();
    if (rawText.includes(name) && !tag.endsWith('/>')) this.#raw = name;
    return rewriteTag(tag, this.#rewrite);
  }

  #cut(characters: number): string | undefined {
    if (characters === 0) return undefined;
    const taken = this.#rest.slice(0, characters);
    this.#rest = this.#rest.slice(characters);
    return taken;
  }
}

/** Behind the `>` that closes a tag, and not one that stands in quotes; -1 where it has not come yet. */
function endOfTag(text: string): number {
  let quote = '';
  for (let at = 1; at < text.length; at++) {
    const character = text[at]!;
    if (quote) {
      if (character === quote) quote = '';
    } else if ((character === '"' || character === "'") && /=\s*$/.test(text.slice(Math.max(0, at - 16), at)))
      quote = character;
    else if (character === '>') return at + 1;
  }
  return -1;
}
