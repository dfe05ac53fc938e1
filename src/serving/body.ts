import { promisify } from 'node:util';
import { constants, createGunzip, createInflate, deflate, gunzip, gzip, inflate } from 'node:zlib';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Held } from './held-bytes.ts';
import { bodyBytesMax, type HttpAnswer, type HttpRequest, tooLarge } from './http-exchange.ts';

export { bodyBytesMax } from './http-exchange.ts';

/** Shorter answers are not worth packing. */
export const packBytesMin = 1024;
/** What is longer when unpacked is unpacked bit by bit. */
const unpackedAtOnceMax = 256 * 1024;

const codings = {
  gzip: { pack: promisify(gzip), unpack: promisify(gunzip), start: () => createGunzip() },
  deflate: { pack: promisify(deflate), unpack: promisify(inflate), start: () => createInflate() },
};
type Coding = keyof typeof codings;

/**
 * The body of a request, unpacked; at once where it is there already. Throws RequestEntityTooLarge beyond `bodyBytesMax`,
 * UnsupportedMediaType, BadRequest.
 */
export function readBody(request: HttpRequest): Promise<Uint8Array> | Uint8Array {
  const given = request.header('content-encoding');
  if (given === undefined) return request.read();
  const coding = given.trim().toLowerCase() || 'identity';
  if (coding === 'identity') return request.read();
  if (!isCoding(coding))
    throw new StatusError(
      'UnsupportedMediaType',
      `Content-Encoding must be gzip or deflate, got "${coding}"`,
    );
  return readPacked(request, coding);
}

async function readPacked(request: HttpRequest, coding: Coding): Promise<Uint8Array> {
  return unpack(await request.read(), coding, request.held);
}

/** Throws RequestEntityTooLarge beyond `bodyBytesMax`, BadRequest for what is not packed so, and what `held` does. */
export async function unpack(bytes: Uint8Array, coding: Coding, held: Held | undefined): Promise<Uint8Array> {
  try {
    const unpacked = await codings[coding].unpack(bytes, { maxOutputLength: unpackedAtOnceMax });
    held?.add(unpacked.length);
    return unpacked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return unpackLarge(bytes, coding, held);
    throw isStatus(error) ? error : notPacked(coding, error);
  }
}

/** Bit by bit, since a small body may become a large one. */
async function unpackLarge(bytes: Uint8Array, coding: Coding, held: Held | undefined): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of codings[coding].start().end(bytes) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bodyBytesMax) throw tooLarge();
      held?.add(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    throw isStatus(error) ? error : notPacked(coding, error);
  }
  return Buffer.concat(chunks, length);
}

function notPacked(coding: Coding, error: unknown): StatusError {
  return new StatusError('BadRequest', `the body is not ${coding}: ${messageOf(error)}`);
}

/** The answer with `body`, packed if it is worth it and the client takes it. */
export function packedAnswer(
  request: HttpRequest,
  body: Uint8Array,
  headers: Record<string, string>,
): Promise<HttpAnswer> | HttpAnswer {
  const accepted = body.length < packBytesMin ? undefined : request.header('accept-encoding');
  const coding = accepted && acceptedCoding(accepted);
  return coding ? pack(body, headers, coding) : { status: 200, body, headers };
}

async function pack(body: Uint8Array, headers: Record<string, string>, coding: Coding): Promise<HttpAnswer> {
  const packed = await codings[coding].pack(body, { level: constants.Z_BEST_SPEED });
  return {
    status: 200,
    body: packed,
    headers: { ...headers, 'content-encoding': coding, vary: 'accept-encoding' },
  };
}

function acceptedCoding(header: string): Coding | undefined {
  const accepted = new Set<string>();
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) accepted.add(name);
  }
  return (Object.keys(codings) as Coding[]).find((coding) => accepted.has(coding));
}

function isCoding(name: string): name is Coding {
  return Object.hasOwn(codings, name);
}
