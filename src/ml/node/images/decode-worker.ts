/** The thread of `decoders.ts`: reads, decodes and scales one image file after the other. */
import { readFile, stat } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { decodeImage } from './decode.ts';
import type { DecodeReply, DecodeRequest } from './decoders.ts';
import { ImageError, resize } from './pixels.ts';

const fileBytesMax = 64 * 2 ** 20;

parentPort!.on('message', async ({ id, path, ...size }: DecodeRequest & { id: number }) => {
  try {
    const { size: fileBytes } = await stat(path);
    if (fileBytes > fileBytesMax) throw new ImageError(`${fileBytes} bytes, more than ${fileBytesMax}`);
    const pixels = resize(decodeImage(await readFile(path)), size);
    // A typed array made here owns its whole buffer.
    parentPort!.postMessage({ id, pixels } satisfies DecodeReply, [pixels.buffer as ArrayBuffer]);
  } catch (error) {
    const isImage = error instanceof ImageError;
    parentPort!.postMessage({ id, isImage, reason: (error as Error).message } satisfies DecodeReply);
  }
});
