import type { ApiRequest } from '../../client/transport.ts';
import type { Decision } from '../authorization/authorize.ts';

/** What authorization and admission say of a request, for its audit events. */
const annotations = new WeakMap<ApiRequest, Record<string, string>>();

/** From here on what is said of the request is kept. */
export function keepAnnotations(request: ApiRequest): Record<string, string> {
  const kept: Record<string, string> = {};
  annotations.set(request, kept);
  return kept;
}

/** Where admission writes what it has to say; nowhere that is read, if the request is not audited. */
export function annotationsOf(request: ApiRequest): Record<string, string> {
  return annotations.get(request) ?? {};
}

const panics = new WeakMap<ApiRequest, string>();

/** Something went wrong in answering that nobody had thought of. */
export function notePanic(request: ApiRequest, message: string): void {
  if (annotations.has(request)) panics.set(request, message);
}

export function panicOf(request: ApiRequest): string | undefined {
  return panics.get(request);
}

export function noteDecision(request: ApiRequest, { allowed, reason = '' }: Decision): void {
  const kept = annotations.get(request);
  if (!kept) return;
  kept['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid';
  kept['authorization.k8s.io/reason'] = reason;
}
