import type { IncomingMessage } from 'node:http';
import type { KubeList, KubeObject } from '../../api/object.ts';
import { type Clock, toMicroTime } from '../../base/clock.ts';
import type { Status } from '../../base/errors.ts';
import type { ApiRequest } from '../../client/transport.ts';
import type { Answer } from '../answer.ts';
import { auditIdOf } from '../http/audit-id.ts';
import type { ResourceInfo } from '../request-info.ts';
import type { User } from '../user.ts';
import { type Kept, keptOf } from './match.ts';
import { keepAnnotations, panicOf } from './notes.ts';
import type { Policy, Stage } from './policy.ts';

/** Where audit events go; a promise says that there is no room until it resolves. */
export type AuditSink = (line: string) => Promise<void> | undefined;

const userAgentMax = 1024;

/** One request, as far as it is known when it comes. */
export interface Received {
  message: IncomingMessage;
  /** Who sent it; undefined where nobody knows. */
  sender: User | undefined;
  /** Whom it is made as, where that is somebody else. */
  impersonated?: User | undefined;
  verb: string;
  path: string;
  resource: ResourceInfo | undefined;
  /** Where what authorization and admission say is kept. */
  request: ApiRequest | undefined;
}

/**
 * Writes down who did what, as a policy has it.
 * Source: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
 */
export class Audit {
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #sink: AuditSink;

  constructor(options: { policy: Policy; clock: Clock; sink: AuditSink }) {
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#sink = options.sink;
  }

  /** Undefined where the policy keeps nothing of the request. */
  begin(received: Received): Trail | undefined {
    const { sender: user, verb, path, resource } = received;
    const kept = keptOf(this.#policy, { user, verb, path, resource });
    return kept.level === 'None' ? undefined : new Trail(received, kept, this.#clock, this.#sink);
  }
}

/** The events of one request. */
export class Trail {
  readonly kept: Kept;
  readonly #received: Received;
  readonly #clock: Clock;
  readonly #sink: AuditSink;
  readonly #receivedTime: string;
  readonly #annotations: Record<string, string>;

  constructor(received: Received, kept: Kept, clock: Clock, sink: AuditSink) {
    this.kept = kept;
    this.#received = received;
    this.#clock = clock;
    this.#sink = sink;
    this.#receivedTime = toMicroTime(clock.nowMs());
    this.#annotations = received.request ? keepAnnotations(received.request) : {};
  }

  /** Whether the whole answer is to be kept, so that a list must not be sent piece by piece. */
  get wantsAnswer(): boolean {
    return this.kept.level === 'RequestResponse';
  }

  received(): Promise<void> | undefined {
    return this.#add('RequestReceived', {});
  }

  /** For what stays open: its answer has begun. */
  started(code: number): Promise<void> | undefined {
    return this.#add('ResponseStarted', { responseStatus: { metadata: {}, code } });
  }

  /** Nobody knows who asked. */
  refused(answer: Answer): Promise<void> | undefined {
    return this.#add('ResponseStarted', { responseStatus: statusOf(answer) });
  }

  complete(answer: Answer): Promise<void> | undefined {
    const panic = this.#received.request && panicOf(this.#received.request);
    if (panic !== undefined) return this.#panic(panic);
    return this.#add('ResponseComplete', { ...this.#bodies(answer), responseStatus: statusOf(answer) });
  }

  /** For what has no answer of its own, such as a stream that has ended. */
  ended(code: number): Promise<void> | undefined {
    return this.#add('ResponseComplete', { responseStatus: { metadata: {}, code } });
  }

  #panic(message: string): Promise<void> | undefined {
    const responseStatus = { metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 };
    return this.#add('Panic', { responseStatus });
  }

  #bodies(answer: Answer): object {
    const { level } = this.kept;
    const { body } = this.#received.request ?? {};
    const isRead = this.#received.verb === 'get' || this.#received.verb === 'list';
    const requestObject =
      level !== 'Metadata' && body !== undefined && !isRead ? { requestObject: this.#shown(body) } : {};
    if (level !== 'RequestResponse' || answer.kind !== 'object') return requestObject;
    return { ...requestObject, responseObject: this.#shown(answer.object) };
  }

  #shown(object: unknown): unknown {
    return this.kept.omitManagedFields ? withoutManagedFields(object) : object;
  }

  #add(stage: Stage, more: object): Promise<void> | undefined {
    if (this.kept.omitStages.has(stage)) return undefined;
    const { message, sender, impersonated, verb, resource } = this.#received;
    const hasAnnotations = Object.keys(this.#annotations).length > 0;
    return this.#sink(
      JSON.stringify({
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level: this.kept.level,
        auditID: auditIdOf(message),
        stage,
        requestURI: message.url,
        verb,
        user: sender ? shownUser(sender) : {},
        ...(impersonated && { impersonatedUser: shownUser(impersonated) }),
        sourceIPs: sourcesOf(message),
        ...(message.headers['user-agent'] && {
          userAgent: message.headers['user-agent'].slice(0, userAgentMax),
        }),
        ...(resource && { objectRef: this.#reference(resource) }),
        ...more,
        requestReceivedTimestamp: this.#receivedTime,
        stageTimestamp: toMicroTime(this.#clock.nowMs()),
        ...(hasAnnotations && { annotations: this.#annotations }),
      }),
    );
  }

  /** What the path does not say, the body may: a name that is to be made, a version that is to be replaced. */
  #reference(info: ResourceInfo): object {
    const { metadata } = (this.#received.request?.body ?? {}) as KubeObject;
    const name = info.name ?? metadata?.name;
    return {
      resource: info.resource,
      ...(info.namespace && { namespace: info.namespace }),
      ...(name && { name }),
      ...(metadata?.uid && { uid: metadata.uid }),
      ...(info.group && { apiGroup: info.group }),
      apiVersion: info.version,
      ...(metadata?.resourceVersion && { resourceVersion: metadata.resourceVersion }),
      ...(info.subresource && { subresource: info.subresource }),
    };
  }
}

function shownUser({ name, uid, groups, extra }: User): object {
  return {
    username: name,
    ...(uid !== undefined && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(extra && { extra }),
  };
}

/** Whom the headers name, and at last who is at the other end. */
function sourcesOf({ headers, socket }: IncomingMessage): string[] {
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',');
  const named = [...forwarded, String(headers['x-real-ip'] ?? '')].map((text) => text.trim());
  const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return [...new Set([...named, peer])].filter((text) => /^[\da-f.:]+$/i.test(text));
}

function statusOf(answer: Answer): object {
  if (answer.kind === 'object' && (answer.object as Status).kind === 'Status' && answer.code >= 400) {
    const { status, message, reason, details } = answer.object as Status;
    return { metadata: {}, status, message, reason, details, code: answer.code };
  }
  return { metadata: {}, code: answer.code };
}

function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { metadata, items } = value as KubeObject & Partial<KubeList>;
  if (Array.isArray(items)) return { ...value, items: items.map(withoutManagedFields) };
  if (!metadata || !('managedFields' in metadata)) return value;
  const { managedFields: _, ...kept } = metadata;
  return { ...value, metadata: kept };
}
