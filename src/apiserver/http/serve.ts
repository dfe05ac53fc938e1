import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { ApiResponse } from '../../client/transport.ts';
import { everyMethod } from '../allowed-methods.ts';
import type { Answer } from '../answer.ts';
import { isTrue, readResourceInfo } from '../request-info.ts';
import { failureResponse } from '../router.ts';
import { anonymous, type User } from '../user.ts';
import { auditIdOf } from './audit-id.ts';
import { authenticate } from './authenticate.ts';
import { readTimeout, withDeadline } from './deadline.ts';
import { unauthorized } from './failures.ts';
import type { RequestLimits } from './limits.ts';
import type { Listener } from './listen.ts';
import { readBody, readHead } from './read-request.ts';
import { readTarget, type Target } from './target.ts';
import { writeResponse } from './write-response.ts';

/** One request on its connection; `signal` aborts when its client is gone or the server closes. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  signal: AbortSignal;
}

/** Answers a request; rejects only where the connection broke. */
export async function serve(listener: Listener, limits: RequestLimits, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  response.setHeader('audit-id', auditIdOf(request));
  const counted: Counted = { release: () => {} };
  try {
    const answer = await answerOf(listener, limits, exchange, counted);
    if (!answer) return;
    await writeResponse(exchange, answer);
    if (answer.code === 401) endUnauthenticated(request);
  } finally {
    counted.release();
  }
}

/** What ends a request's count among those under way. */
interface Counted {
  release(): void;
}

/** Undefined when an extra handler has answered. */
async function answerOf(
  listener: Listener,
  limits: RequestLimits,
  exchange: Exchange,
  counted: Counted,
): Promise<Answer | undefined> {
  const { request, response } = exchange;
  try {
    const target = readTarget(request);
    const user = await authenticate(request, listener).catch((error: unknown) => {
      if (isStatus(error, 'Unauthorized')) return error;
      throw error;
    });
    if (isStatus(user)) return unauthorized(target.path, user);
    if (user) {
      for (const handler of listener.extraHandlers ?? []) {
        if (await handler(request, response, user)) return undefined;
      }
    } else if (isRegistryPath(target.path)) return unauthorized(target.path);
    return await answerKnown(listener, limits, { ...exchange, target, user: user ?? anonymous }, counted);
  } catch (error) {
    if (error instanceof StatusError) return withAllow(failureResponse(error));
    listener.log.error('a request failed', { url: request.url, error: messageOf(error) });
    return failureResponse(new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`));
  }
}

/** A method that no path takes was refused before its path was looked at. */
function withAllow(answer: ApiResponse): Answer {
  if (answer.code === 405) answer.headers.allow ??= everyMethod;
  return answer;
}

async function answerKnown(
  listener: Listener,
  limits: RequestLimits,
  { request, response, signal, target, user }: Exchange & { target: Target; user: User },
  counted: Counted,
): Promise<Answer> {
  const head = readHead(request, target, signal);
  const info = readResourceInfo(head);
  const follows = info?.subresource === 'log' && isTrue(target.query.get('follow'));
  const staysOpen = info?.verb === 'watch' || follows;
  const uncount = limits.begin(user, staysOpen ? 'stream' : 'request');
  counted.release = uncount;
  const handled = async (): Promise<Answer> => {
    await readBody(request, head);
    return listener.handle(head, user);
  };
  if (follows) return handled();
  const timeoutMs = staysOpen ? 0 : readTimeout(target.query);
  const asked = {
    user,
    verb: info?.verb ?? head.method.toLowerCase(),
    path: target.path,
    query: target.query,
  };
  const entering = listener.flowControl.admit({ ...asked, resource: info, signal }, (found) => {
    response.setHeader('x-kubernetes-pf-flowschema-uid', found.flowSchemaUid);
    response.setHeader('x-kubernetes-pf-prioritylevel-uid', found.priorityLevelUid);
  });
  const seat = entering instanceof Promise ? await entering : entering;
  if (staysOpen) {
    // A watch has its seat only until it has begun.
    return handled().finally(() => seat.release());
  }
  counted.release = () => {
    uncount();
    seat.release();
  };
  return withDeadline(handled(), timeoutMs);
}

/** Container tools show their credentials only when they are asked for them. */
function isRegistryPath(path: string): boolean {
  return path === '/v2' || path.startsWith('/v2/');
}

/** Who has shown no valid credentials gets no second of the cheap streams of HTTP/2 (CVE-2023-44487). */
function endUnauthenticated(request: IncomingMessage): void {
  (request as unknown as Partial<Http2ServerRequest>).stream?.session?.close();
}
