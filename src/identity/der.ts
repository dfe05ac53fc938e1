import { StatusError } from '../base/errors.ts';

/*
 * The part of ASN.1's Distinguished Encoding Rules (ITU-T X.690) that certificates need. A certificate library would
 * cost 24 MB of resident memory in every process that asks for a certificate.
 */

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  bmpString: 0x1e,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag `[n]`, primitive or constructed. */
export function contextTag(n: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | n;
}

export function encode(tag: number, ...content: Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), encodeLength(length), ...content]);
}

export const sequence = (...items: Uint8Array[]) => encode(tags.sequence, ...items);
export const set = (...items: Uint8Array[]) => encode(tags.set, ...items);
export const octetString = (content: Uint8Array) => encode(tags.octetString, content);
export const utf8String = (text: string) => encode(tags.utf8String, Buffer.from(text));
export const boolean = (value: boolean) => encode(tags.boolean, Buffer.from([value ? 0xff : 0]));

/** `unusedBits` is how many of the last byte's low bits do not count. */
export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return encode(tags.bitString, Buffer.from([unusedBits]), content);
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const trimmed = bytes.subarray(start);
  const sign = trimmed[0]! >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return encode(tags.integer, sign, trimmed);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** RFC 5280 section 4.1.2.5: UTCTime through 2049, then GeneralizedTime. */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  if (Number(digits.slice(0, 4)) >= 2050) return encode(tags.generalizedTime, Buffer.from(digits));
  return encode(tags.utcTime, Buffer.from(digits.slice(2)));
}

/** One decoded element; `raw` is the whole of it, `content` without tag and length. */
export interface Element {
  tag: number;
  content: Buffer;
  raw: Buffer;
}

/** Decodes exactly one element; what follows it, or another tag than `tag`, is refused with BadRequest. */
export function decode(bytes: Uint8Array, tag?: number): Element {
  const [element, ...rest] = decodeAll(bytes);
  if (!element || rest.length > 0) throw malformed('one element was expected');
  return tag === undefined ? element : expectTag(element, tag);
}

/** The elements that stand one after another in `bytes`, e.g. a sequence's content. */
export function decodeAll(bytes: Uint8Array): Element[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Element[] = [];
  for (let offset = 0; offset < buffer.length; ) {
    const { length, headerLength } = decodeLength(buffer, offset + 1);
    const start = offset + 1 + headerLength;
    const end = start + length;
    if (end > buffer.length) throw malformed('it ends too early');
    const raw = buffer.subarray(offset, end);
    elements.push({ tag: buffer[offset]!, content: buffer.subarray(start, end), raw });
    offset = end;
  }
  return elements;
}

/** The children of a constructed element that must have `tag`. */
export function children(element: Element | undefined, tag: number): Element[] {
  return decodeAll(expectTag(element, tag).content);
}

export function expectTag(element: Element | undefined, tag: number): Element {
  if (element?.tag === tag) return element;
  throw malformed(
    `tag 0x${tag.toString(16)} was expected, not ${element ? `0x${element.tag.toString(16)}` : 'the end'}`,
  );
}

export function decodeOid(element: Element | undefined): string {
  const { content } = expectTag(element, tags.oid);
  const parts: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    parts.push(value);
    value = 0;
  }
  const [head = 0, ...rest] = parts;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join('.');
}

/** The text of a string of any of the types that names use. */
export function decodeText(element: Element | undefined): string {
  switch (element?.tag) {
    case tags.utf8String:
      return element.content.toString('utf8');
    case tags.printableString:
    case tags.ia5String:
      return element.content.toString('latin1');
    case tags.bmpString:
      return Buffer.from(element.content).swap16().toString('utf16le');
    default:
      throw malformed(
        `a string was expected, not ${element ? `tag 0x${element.tag.toString(16)}` : 'the end'}`,
      );
  }
}

/** A bit string's bytes; only whole bytes are taken. */
export function decodeBits(element: Element | undefined): Buffer {
  const { content } = expectTag(element, tags.bitString);
  if (content[0] !== 0) throw malformed('a bit string of whole bytes was expected');
  return content.subarray(1);
}

export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The bytes of the first PEM block with `label`; BadRequest when there is none. */
export function fromPem(label: string, pem: string): Buffer {
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(pem);
  if (!block) throw new StatusError('BadRequest', `No PEM block "${label}" found.`);
  return Buffer.from(block[1]!, 'base64');
}

export function malformed(why: string): StatusError {
  return new StatusError('BadRequest', `Malformed certificate data (DER): ${why}.`);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function decodeLength(buffer: Buffer, offset: number): { length: number; headerLength: number } {
  const first = buffer[offset];
  if (first === undefined) throw malformed('it ends too early');
  if (first < 0x80) return { length: first, headerLength: 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4 || offset + count >= buffer.length) throw malformed('a length is not valid');
  const length = buffer.readUIntBE(offset + 1, count);
  if (length < 0x80 || buffer[offset + 1] === 0) throw malformed('a length is not in its shortest form');
  return { length, headerLength: 1 + count };
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128));
  }
  return bytes;
}
