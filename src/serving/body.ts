import { promisify } from 'node:util';
import { constants, deflate, gunzip, gzip, inflate } from 'node:zlib';
import { StatusError } from '../base/errors.ts';

/** Of a request's body, as it comes and unpacked. */
export const bodyBytesMax = 64 * 1024 * 1024;
/** Shorter answers are not worth packing. */
export const packBytesMin = 1024;

const codings = {
  gzip: { pack: promisify(gzip), unpack: promisify(gunzip) },
  deflate: { pack: promisify(deflate), unpack: promisify(inflate) },
};
type Coding = keyof typeof codings;

/** The body of a request, unpacked. Throws RequestEntityTooLarge beyond `bodyBytesMax`, UnsupportedMediaType, BadRequest. */
export async function readBody(request: Request): Promise<Uint8Array> {
  const coding = request.headers.get('content-encoding')?.trim().toLowerCase() || 'identity';
  const bytes = await readBytes(request);
  if (coding === 'identity') return bytes;
  if (!isCoding(coding))
    throw new StatusError(
      'UnsupportedMediaType',
      `Content-Encoding must be gzip or deflate, got "${coding}"`,
    );
  try {
    return await codings[coding].unpack(bytes, { maxOutputLength: bodyBytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new StatusError('BadRequest', `the body is not ${coding}: ${(error as Error).message}`);
  }
}

async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > bodyBytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > bodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}

function tooLarge(): StatusError {
  return new StatusError('RequestEntityTooLarge', `a request may have ${bodyBytesMax} bytes, unpacked too`);
}

/** The answer with `body`, packed if it is worth it and the client takes it. */
export async function packedResponse(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Response> {
  const coding = body.length < packBytesMin ? undefined : acceptedCoding(request);
  if (!coding) return new Response(body, { headers });
  const packed = await codings[coding].pack(body, { level: constants.Z_BEST_SPEED });
  return new Response(packed, {
    headers: { ...headers, 'content-encoding': coding, vary: 'accept-encoding' },
  });
}

function acceptedCoding(request: Request): Coding | undefined {
  const accepted = new Set<string>();
  for (const part of (request.headers.get('accept-encoding') ?? '').split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) accepted.add(name);
  }
  return (Object.keys(codings) as Coding[]).find((coding) => accepted.has(coding));
}

function isCoding(name: string): name is Coding {
  return Object.hasOwn(codings, name);
}
