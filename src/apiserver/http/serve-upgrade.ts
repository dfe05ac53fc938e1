import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, StatusError } from '../../base/errors.ts';
import { failureResponse } from '../router.ts';
import { authenticate } from './authenticate.ts';
import { unauthorized } from './failures.ts';
import type { RequestLimits } from './limits.ts';
import type { Listener } from './listen.ts';
import { readHead } from './read-request.ts';
import { readTarget } from './target.ts';
import { passUpgrade, writeRefusal } from './upgrade.ts';

/** Answers a request that becomes a byte stream; never rejects. */
export async function serveUpgrade(
  listener: Listener,
  limits: RequestLimits,
  client: { request: IncomingMessage; socket: Duplex; head: Buffer; signal: AbortSignal },
): Promise<void> {
  const { request, socket, signal } = client;
  let release = () => {};
  try {
    const user = await authenticate(request, listener);
    if (!user) return writeRefusal(socket, unauthorized(request.url ?? ''));
    release = limits.begin(user, 'stream');
    const head = readHead(request, readTarget(request), signal);
    const kubelet = await listener.openStream(head, user);
    await passUpgrade(client, kubelet, signal);
  } catch (error) {
    const status =
      error instanceof StatusError
        ? error
        : new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`);
    writeRefusal(socket, failureResponse(status));
  } finally {
    release();
  }
}
