import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { ApiResponse } from '../../client/transport.ts';
import { everyMethod } from '../allowed-methods.ts';
import { type Answer, collected } from '../answer.ts';
import type { Trail } from '../audit/audit.ts';
import { setMessage } from '../proxy/incoming.ts';
import { isTrue, readResourceInfo } from '../request-info.ts';
import { failureResponse } from '../router.ts';
import { anonymous, type User } from '../user.ts';
import { auditIdOf } from './audit-id.ts';
import { authenticate } from './authenticate.ts';
import { readTimeout, withDeadline } from './deadline.ts';
import { unauthorized } from './failures.ts';
import { senderOf } from './impersonate.ts';
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
  const course: Course = { release: () => {} };
  try {
    const answer = await answerOf(listener, limits, exchange, course);
    if (!answer) return;
    await writeAudited(exchange, answer, course);
    if (answer.code === 401) endUnauthenticated(request);
  } finally {
    course.release();
  }
}

/** What a request holds while it is under way. */
interface Course {
  /** Gives back its seat, and its count among those under way. */
  release(): void;
  /** Its audit events, if it makes any. */
  trail?: Trail | undefined;
  /** A watch, a log that is followed, or what is passed on to a pod, Service or node. */
  staysOpen?: boolean;
}

/** Audit events that find no room hold up their own request, and no other. */
async function writeAudited(exchange: Exchange, answer: Answer, { trail, staysOpen }: Course): Promise<void> {
  if (!trail) return writeResponse(exchange, answer);
  // What other servers say is not read here.
  const isRead = trail.wantsAnswer && answer.kind !== 'proxied';
  const sent = isRead ? await collected(answer) : answer;
  if (staysOpen && sent.code < 400) await trail.started(sent.code);
  await writeResponse(exchange, sent);
  await trail.complete(sent);
}

/** Undefined when an extra handler has answered. */
async function answerOf(
  listener: Listener,
  limits: RequestLimits,
  exchange: Exchange,
  course: Course,
): Promise<Answer | undefined> {
  const { request, response } = exchange;
  try {
    const target = readTarget(request);
    const user = await authenticate(request, listener).catch((error: unknown) => {
      if (isStatus(error, 'Unauthorized')) return error;
      throw error;
    });
    if (isStatus(user)) return refusedUnknown(listener, request, target, unauthorized(target.path, user));
    if (user) {
      for (const handler of listener.extraHandlers ?? []) {
        if (await handler(request, response, user)) return undefined;
      }
    } else if (isRegistryPath(target.path)) return unauthorized(target.path);
    return await answerKnown(listener, limits, { ...exchange, target, user: user ?? anonymous }, course);
  } catch (error) {
    if (error instanceof StatusError) return withAllow(failureResponse(error));
    listener.log.error('a request failed', { url: request.url, error: messageOf(error) });
    return failureResponse(new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`));
  }
}

/** Who shows wrong credentials leaves a trace too. */
async function refusedUnknown(
  { audit }: Listener,
  message: IncomingMessage,
  { path }: Target,
  answer: Answer,
): Promise<Answer> {
  const verb = (message.method ?? '').toLowerCase();
  const received = { message, sender: undefined, verb, path, resource: undefined, request: undefined };
  await audit?.begin(received)?.refused(answer);
  return answer;
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
  course: Course,
): Promise<Answer> {
  const head = readHead(request, target, signal);
  const info = readResourceInfo(head);
  const follows = info?.subresource === 'log' && isTrue(target.query.get('follow'));
  const isPassed = listener.isPassedOn(head);
  const staysOpen = info?.verb === 'watch' || follows || info?.subresource === 'proxy';
  course.staysOpen = staysOpen;
  const verb = info?.verb ?? head.method.toLowerCase();
  if (listener.audit) {
    const sender = senderOf(user);
    const [asked, impersonated] = sender ? [sender, user] : [user, undefined];
    const received = {
      message: request,
      sender: asked,
      impersonated,
      verb,
      path: target.path,
      resource: info,
    };
    course.trail = listener.audit.begin({ ...received, request: head });
    await course.trail?.received();
  }
  const uncount = limits.begin(user, staysOpen ? 'stream' : 'request');
  course.release = uncount;
  const handled = async (): Promise<Answer> => {
    if (isPassed) setMessage(head, request);
    else await readBody(request, head);
    return listener.handle(head, user);
  };
  if (staysOpen && info?.verb !== 'watch') return handled();
  const timeoutMs = staysOpen ? 0 : readTimeout(target.query);
  const asked = { user, verb, path: target.path, query: target.query };
  const entering = listener.flowControl.admit({ ...asked, resource: info, signal }, (found) => {
    response.setHeader('x-kubernetes-pf-flowschema-uid', found.flowSchemaUid);
    response.setHeader('x-kubernetes-pf-prioritylevel-uid', found.priorityLevelUid);
  });
  const seat = entering instanceof Promise ? await entering : entering;
  if (staysOpen) {
    // A watch has its seat only until it has begun.
    return handled().finally(() => seat.release());
  }
  course.release = () => {
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
