// Decodes and resizes images away from the server's thread.
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../base/errors.ts';
import type { ImageJob, ImageReply } from './image-pool.ts';
import { preprocess } from './preprocess.ts';

parentPort!.on('message', async ({ id, images, steps, input }: ImageJob) => {
  const reply = (message: ImageReply) => parentPort!.postMessage(message);
  try {
    reply({ id, tensor: await preprocess(images, steps, input) });
  } catch (error) {
    reply({ id, problem: messageOf(error) });
  }
});
