import { Readable } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import type { ApiRequest, ApiResponse } from '../../client/transport.ts';
import type { Answer } from '../answer.ts';
import { forward, type Passed } from '../proxy/forward.ts';
import { forwardedHeaders } from '../proxy/headers.ts';
import { incomingOf } from '../proxy/incoming.ts';
import { encodePath } from '../proxy/proxy-path.ts';
import type { User } from '../user.ts';
import type { Remote } from './aggregation.ts';
import { identityHeaders } from './identity-headers.ts';

/** Discovery must be quick: one slow server would hold up every kubectl. */
export const discoveryTimeoutMs = 5_000;

/** Answers a request with what another API server says to it, in the name of who asks; failures are plain text with 503. */
export async function passOn(remote: Remote, request: ApiRequest, user: User): Promise<Answer> {
  if (!remote.isAvailable) return unavailable('service unavailable');
  const parts = request.path.split('/').filter((part) => part !== '');
  const timeout = parts.length === 3 ? AbortSignal.timeout(discoveryTimeoutMs) : undefined;
  const signals = [request.signal, timeout].filter((signal) => signal !== undefined);
  const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
  try {
    return await forward({ ...passedTo(remote, request, user), signal });
  } catch (error) {
    return unavailable(messageOf(error));
  }
}

/** What a request becomes on its way to another API server. */
export function passedTo({ upstream }: Remote, request: ApiRequest, user: User): Passed {
  const incoming = incomingOf(request);
  const path = encodePath(request.path);
  const { host: _, ...passed } = forwardedHeaders(incoming);
  const { auditId } = incoming;
  const headers = {
    ...passed,
    ...(auditId && { 'audit-id': auditId }),
    'x-forwarded-uri': path,
    ...identityHeaders(user),
  };
  return { upstream, incoming, path: path + incoming.search, headers, prefix: '', signal: request.signal };
}

function unavailable(message: string): ApiResponse {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  return { code: 503, headers, kind: 'bytes', bytes: Readable.from([Buffer.from(`${message}\n`)]) };
}
