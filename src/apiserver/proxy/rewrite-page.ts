import { type Readable, Transform } from 'node:stream';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';
import { LinkRewriter } from './links.ts';

/** The page with its links rewritten, in the encoding in which it came; undefined for an encoding that is not known. */
export function rewritePage(
  page: Readable,
  encoding: string,
  rewrite: (link: string) => string,
): Readable | undefined {
  switch (encoding) {
    case '':
      return through(page, [rewriting(rewrite)]);
    case 'gzip':
      return through(page, [createGunzip(), rewriting(rewrite), createGzip()]);
    case 'deflate':
      return through(page, [createInflateRaw(), rewriting(rewrite), createDeflateRaw()]);
    default:
      return undefined;
  }
}

function rewriting(rewrite: (link: string) => string): Transform {
  const rewriter = new LinkRewriter(rewrite);
  // Byte for byte: what is looked for is ASCII, whatever the page is written in.
  return new Transform({
    transform: (chunk: Buffer, _, done) =>
      done(null, Buffer.from(rewriter.write(chunk.toString('latin1')), 'latin1')),
    flush: (done) => done(null, Buffer.from(rewriter.end(), 'latin1')),
  });
}

/** One behind the other; where one breaks all do. */
function through(source: Readable, steps: readonly Transform[]): Readable {
  let last: Readable = source;
  for (const step of steps) {
    const before = last;
    before.on('error', (error) => step.destroy(error)).on('aborted', () => step.destroy());
    step.once('close', () => before.destroy());
    last = before.pipe(step);
  }
  return last;
}
