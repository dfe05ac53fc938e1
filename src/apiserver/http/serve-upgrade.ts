import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, StatusError } from '../../base/errors.ts';
import type { Trail } from '../audit/audit.ts';
import { setMessage } from '../proxy/incoming.ts';
import { readResourceInfo } from '../request-info.ts';
import { failureResponse } from '../router.ts';
import { authenticate } from './authenticate.ts';
import { unauthorized } from './failures.ts';
import { senderOf } from './impersonate.ts';
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
  let trail: Trail | undefined;
  try {
    const user = await authenticate(request, listener);
    if (!user) return writeRefusal(socket, unauthorized(request.url ?? ''));
    release = limits.begin(user, 'stream');
    const target = readTarget(request);
    const head = readHead(request, target, signal);
    setMessage(head, request);
    const received = { message: request, path: target.path, request: head, sender: senderOf(user) ?? user };
    const impersonated = senderOf(user) && user;
    trail = listener.audit?.begin({
      ...received,
      impersonated,
      verb: 'get',
      resource: readResourceInfo(head),
    });
    await trail?.received();
    const kubelet = await listener.openStream(head, user);
    await trail?.started(101);
    await passUpgrade(client, kubelet, signal);
    await trail?.ended(101);
  } catch (error) {
    const status =
      error instanceof StatusError
        ? error
        : new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`);
    const answer = failureResponse(status);
    writeRefusal(socket, answer);
    await trail?.complete(answer);
  } finally {
    release();
  }
}
