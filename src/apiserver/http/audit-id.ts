import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const ids = new WeakMap<IncomingMessage, string>();
const lengthMax = 64;

/** The id that a request's audit events share: the client's own (`Audit-ID`) where it sent one, as in Kubernetes. */
export function auditIdOf(request: IncomingMessage): string {
  let id = ids.get(request);
  if (id === undefined) {
    const sent = request.headers['audit-id'];
    id = typeof sent === 'string' && /^[\x21-\x7e]+$/.test(sent) ? sent.slice(0, lengthMax) : randomUUID();
    ids.set(request, id);
  }
  return id;
}
