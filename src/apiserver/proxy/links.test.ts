import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LinkRewriter, rewriteLink, tagCharactersMax } from './links.ts';
import { rewritePage } from './rewrite-page.ts';

const base = { prefix: '/proxy/web', host: '10.42.0.7:80', askedHost: 'localhost:8001' };
const link = (address: string) => rewriteLink(address, base);

test('links to the server of the page lead through the proxy, all others stay', () => {
  const expected: [string, string][] = [
    ['/', '/proxy/web/'],
    ['/a/b?c=/d#e', '/proxy/web/a/b?c=/d#e'],
    ['/a/', '/proxy/web/a/'],
    ['/proxy/web/a', '/proxy/web/a'],
    ['http://10.42.0.7:80/a', '/proxy/web/a'],
    ['http://localhost:8001/a', 'http://localhost:8001/proxy/web/a'],
    ['//10.42.0.7:80/a', '/proxy/web/a'],
    ['https://example.com/a', 'https://example.com/a'],
    ['a/b', 'a/b'],
    ['../a', '../a'],
    ['#top', '#top'],
    ['mailto:a@example.com', 'mailto:a@example.com'],
    ['', ''],
  ];
  for (const [address, wanted] of expected) assert.equal(link(address), wanted, address);
});

const page = `<!DOCTYPE html><html><head><!-- <a href="/no"> --><link rel=x href=/style.css>
<script src='/app.js'>if (1 < 2) document.write('<a href="/no">');</script></head>
<body title="/no"><A HREF = "/a?x=1&amp;y=2">a > b</A><img alt="<a href='/no'>" src="/i.png"/><p href="/no">1 < 2</p></body></html>`;
const rewritten = `<!DOCTYPE html><html><head><!-- <a href="/no"> --><link rel=x href="/proxy/web/style.css">
<script src="/proxy/web/app.js">if (1 < 2) document.write('<a href="/no">');</script></head>
<body title="/no"><A HREF = "/proxy/web/a?x=1&amp;y=2">a > b</A><img alt="<a href='/no'>" src="/proxy/web/i.png"/><p href="/no">1 < 2</p></body></html>`;

test('addresses in a page are rewritten wherever it is cut, and what is no address is left alone', () => {
  for (let size = 1; size < 40; size++) {
    const rewriter = new LinkRewriter(link);
    let out = '';
    for (let at = 0; at < page.length; at += size) out += rewriter.write(page.slice(at, at + size));
    assert.equal(out + rewriter.end(), rewritten, `in pieces of ${size}`);
  }
});

test('a tag that is never closed does not pile up', () => {
  const rewriter = new LinkRewriter(link);
  const tag = `<a title="${'x'.repeat(tagCharactersMax)}`;
  assert.equal(rewriter.write(tag), tag);
  assert.equal(rewriter.end(), '');
});

test('a compressed page stays compressed, bytes that are no ASCII stay as they are, and other encodings are not touched', async () => {
  const greeting = Buffer.concat([Buffer.from('<a href="/é">'), Buffer.from([0xff, 0xfe])]);
  const compressed = rewritePage(Readable.from([gzipSync(greeting)]), 'gzip', link)!;
  const chunks: Buffer[] = [];
  for await (const chunk of compressed) chunks.push(chunk);
  const wanted = Buffer.concat([Buffer.from('<a href="/proxy/web/é">'), Buffer.from([0xff, 0xfe])]);
  assert.deepEqual(gunzipSync(Buffer.concat(chunks)), wanted);
  assert.equal(await text(rewritePage(Readable.from([Buffer.from(page)]), '', link)!), rewritten);
  assert.equal(rewritePage(Readable.from(['']), 'br', link), undefined);
});
