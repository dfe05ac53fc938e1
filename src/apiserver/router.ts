import { binding } from '../api/kinds/binding.ts';
import { componentStatus } from '../api/kinds/componentStatus.ts';
import type { Status, StatusError } from '../base/errors.ts';
import type { ApiRequest, ApiResponse } from '../client/transport.ts';
import type { ServiceAccountTokens } from '../identity/service-account-token.ts';
import type { Aggregation, Remote } from './aggregation/aggregation.ts';
import type { Answer } from './answer.ts';
import { annotationsOf, noteDecision } from './audit/notes.ts';
import { type Attributes, type Decision, refusal } from './authorization/authorize.ts';
import { checkReadable } from './body.ts';
import { getComponentStatus, listComponentStatuses } from './component-status.ts';
import type { Call, Context, Resource } from './context.ts';
import { readObject } from './decode.ts';
import { type Discovery, extraSubresourcesOf, type ReviewKind } from './discovery.ts';
import { badRequest, methodNotAllowed, noSuchPath, notFound } from './failures.ts';
import type { HealthChecks } from './health-checks.ts';
import { answerMetrics, metricsGroup } from './metrics-api/metrics-api.ts';
import type { NodeUsage } from './metrics-api/node-usage.ts';
import { negotiate, notAcceptable } from './negotiate.ts';
import type { OpenApi } from './openapi.ts';
import { isProxied } from './proxy/is-proxied.ts';
import { represent, representEvents, representList } from './represent.ts';
import { type ResourceInfo, readResourceInfo } from './request-info.ts';
import { type Reviewers, review, reviewKinds } from './reviews.ts';
import type { PodDial } from './service-dial.ts';
import { keyOf, prefixOf } from './stored.ts';
import { streamSubresources } from './streaming/pod-stream.ts';
import { answerTokenIssuer } from './token-issuer.ts';
import type { User } from './user.ts';
import { approve } from './verbs/approval.ts';
import { bind } from './verbs/binding.ts';
import { create } from './verbs/create.ts';
import { deleteCollection, deleteOne } from './verbs/delete.ts';
import { changeEphemeralContainers } from './verbs/ephemeral-containers.ts';
import { evict } from './verbs/evict.ts';
import { finalize } from './verbs/finalize.ts';
import { get } from './verbs/get.ts';
import { list } from './verbs/list.ts';
import { type KubeletDial, readLog } from './verbs/log.ts';
import { patch } from './verbs/patch.ts';
import { scale } from './verbs/scale.ts';
import { requestToken } from './verbs/token-request.ts';
import { update } from './verbs/update.ts';
import { watch } from './verbs/watch.ts';

export interface Router {
  context: Context;
  /** By `group/version/plural`. */
  resources: ReadonlyMap<string, Resource>;
  authorize(attributes: Attributes): Decision;
  aggregation: Aggregation;
  discovery: Discovery;
  openApi: OpenApi;
  kubelet: KubeletDial | undefined;
  dialPod: PodDial;
  usage: NodeUsage;
  reviewers: Reviewers;
  /** Without them no token is given out. */
  serviceAccountTokens: ServiceAccountTokens | undefined;
  version: object;
  health: HealthChecks;
  /** Prometheus text. */
  metrics(): string;
}

const json = { 'content-type': 'application/json' };

/** Answers one request of a known user; throws StatusError for what is wrong with it. */
export async function route(router: Router, request: ApiRequest, user: User): Promise<Answer> {
  const info = readResourceInfo(request);
  const remote = router.aggregation.find(request.path);
  if (!info) {
    const verb = isRead(request) ? 'get' : request.method.toLowerCase();
    allow(router, { user, fieldSelector: '', path: request.path, verb }, request);
    if (remote) return passedOn(remote, request, user);
    return answerPath(router, request, user);
  }
  const fieldSelector = request.query.get('fieldSelector') ?? '';
  allow(router, { user, fieldSelector, resource: info, body: request.body }, request);
  if (remote) return passedOn(remote, request, user);
  const resource = router.resources.get(`${info.group}/${info.version}/${info.resource}`);
  if (resource) {
    checkReadable(request, resource.kind.kind);
    const warnings = resource.kind.deprecation ? [resource.kind.deprecation] : [];
    const call = { request, info, user, resource, warnings, auditAnnotations: annotationsOf(request) };
    return answerResource(await seenBy(router, call), call);
  }
  if (info.group === metricsGroup) {
    const real = router.resources.get(`/v1/${info.resource}`);
    if (!real) throw noSuchPath();
    const call = { request, info, user, resource: real, warnings: [], auditAnnotations: {} };
    return {
      code: 200,
      headers: json,
      kind: 'object',
      object: await answerMetrics(router.context, router.usage, call),
    };
  }
  const kind = reviewKinds.find((one) => isReview(one, info));
  if (!kind && isKnownReview(info)) throw methodNotAllowed();
  if (!kind) throw noSuchPath();
  checkReadable(request, kind.kind);
  // A review has no columns.
  if (negotiate(request.headers.accept, request.query).as === 'table')
    throw notAcceptable(['application/json']);
  const nowMs = router.context.clock.nowMs();
  const asked = { body: request.body, namespace: info.namespace, user, nowMs };
  const answer = await review(kind, asked, router.reviewers);
  return { code: 201, headers: json, kind: 'object', object: answer };
}

/** Whether it is a review's path, whatever is asked of it. */
function isKnownReview(info: ResourceInfo): boolean {
  return reviewKinds.some((one) => isReview(one, { ...info, verb: 'create' }));
}

/** A version of a custom resource has its own view of the store. */
async function seenBy(router: Router, { resource, info }: Call): Promise<Router> {
  if (!resource.store) return router;
  const { kind } = resource;
  const read =
    info.name === undefined ? prefixOf(kind, info.namespace) : keyOf(kind, info.namespace, info.name);
  return { ...router, context: { ...router.context, store: await resource.store.forRequest(read) } };
}

/** Throws Forbidden unless somebody allows it; the audit events of `request`, where it is said, tell the decision. */
export function allow(router: Router, attributes: Attributes, request?: ApiRequest): void {
  const decision = router.authorize(attributes);
  if (request) noteDecision(request, decision);
  if (!decision.allowed) throw refusal(attributes, decision.reason);
}

function isReview(kind: ReviewKind, info: ResourceInfo): boolean {
  const isSame = kind.group === info.group && kind.version === info.version && kind.plural === info.resource;
  const isInPlace = (info.namespace !== undefined) === (kind.namespaced ?? false);
  return isSame && isInPlace && info.verb === 'create' && info.name === undefined;
}

async function passedOn(...to: Parameters<PassOn>): Promise<Answer> {
  const { passOn } = await import('./aggregation/pass-on.ts');
  return passOn(...to);
}

type PassOn = typeof import('./aggregation/pass-on.ts').passOn;

async function answerPath(router: Router, request: ApiRequest, user: User): Promise<Answer> {
  if (!isRead(request)) throw methodNotAllowed();
  const [root] = request.path.slice(1).split('/');
  switch (root) {
    case 'api':
    case 'apis': {
      const { object, contentType } = router.discovery.answer(request);
      return { code: 200, headers: { 'content-type': contentType, vary: 'Accept' }, kind: 'object', object };
    }
    case 'openapi': {
      const remote = remoteDescribed(router, request.path);
      return remote ? passedOn(remote, request, user) : router.openApi.answer(request);
    }
    case 'version':
      return { code: 200, headers: json, kind: 'object', object: router.version };
    case 'metrics':
      return text(router.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    case '.well-known':
    case 'openid':
      return answerTokenIssuer(request.path, router.serviceAccountTokens);
    case 'livez':
    case 'readyz':
    case 'healthz':
      return router.health.answer(request.path, request.query);
    case '':
      return {
        code: 200,
        headers: json,
        kind: 'object',
        object: { paths: pathsOf(router) },
      };
    default:
      throw noSuchPath();
  }
}

/** Who describes `/openapi/v3/apis/GROUP/VERSION`, where that is another server. */
function remoteDescribed({ aggregation }: Router, path: string): Remote | undefined {
  const [, at] = /^\/openapi\/v3(\/apis\/.+)$/.exec(path) ?? [];
  return at === undefined ? undefined : aggregation.find(at);
}

/** Every path that is no resource's. */
function pathsOf({ discovery, health }: Router): string[] {
  const fixed = ['/metrics', '/openapi/v2', '/openapi/v3', '/openapi/v3/', '/openid/v1/jwks', '/version'];
  const all = ['/.well-known/openid-configuration', ...discovery.paths(), ...health.paths(), ...fixed];
  return all.sort();
}

/** HEAD takes the same right as GET, and the body of its answer is left out. */
function isRead({ method }: ApiRequest): boolean {
  return method === 'GET' || (method as string) === 'HEAD';
}

function text(content: string, contentType: string): ApiResponse {
  const bytes = (async function* () {
    yield Buffer.from(content);
  })();
  return { code: 200, headers: { 'content-type': contentType }, kind: 'bytes', bytes };
}

async function answerResource(router: Router, call: Call): Promise<Answer> {
  const { info, resource, request } = call;
  if (isProxied(info)) {
    const { proxy } = await import('./proxy/proxy.ts');
    return proxy(router.context, call, router);
  }
  if ((request.method as string) === 'HEAD') throw methodNotAllowed();
  if (info.subresource === 'log' && resource.kind.plural === 'pods' && info.verb === 'get') {
    const bytes = await readLog(router.context, call, router.kubelet);
    return { code: 200, headers: { 'content-type': 'text/plain' }, kind: 'bytes', bytes };
  }
  if (resource.kind.plural === 'pods' && streamSubresources.includes(info.subresource ?? '')) {
    throw badRequest('Upgrade request required');
  }
  const wanted = negotiate(call.request.headers.accept, call.request.query);
  const nowMs = () => router.context.clock.nowMs();
  if (info.verb === 'watch' && info.subresource === undefined) {
    checkVerb(call);
    const events = watch(router.context, call);
    const shown = wanted.as === 'object' ? events : representEvents(resource.kind, events, wanted, nowMs);
    return {
      code: 200,
      headers: { ...json, 'cache-control': 'no-cache, private', ...warningsOf(call) },
      kind: 'watch',
      events: shown,
    };
  }
  const headersOf = () => ({
    'content-type': wanted.format === 'yaml' ? 'application/yaml' : 'application/json',
    'cache-control': 'no-cache, private',
    ...warningsOf(call),
  });
  if (info.verb === 'list' && info.subresource === undefined) {
    checkVerb(call);
    const listed = resource.kind === componentStatus ? listComponentStatuses : list;
    const shown = representList(resource.kind, listed(router.context, call), wanted, nowMs());
    return { code: 200, headers: headersOf(), kind: 'list', ...shown };
  }
  const { code, object } = await answerVerb(router, call);
  const shown = represent(resource.kind, object, wanted, nowMs());
  return { code, headers: headersOf(), kind: 'object', object: shown };
}

function warningsOf({ warnings }: Call): Record<string, string> {
  return warnings.length > 0 ? { warning: warnings.map(warningHeader).join(', ') } : {};
}

/** RFC 9111, 5.5: code 299 is a warning that stays. */
function warningHeader(text: string): string {
  return `299 - "${text.replace(/[\\"]/g, '\\$&').replace(/[^\x20-\x7e]/g, '?')}"`;
}

type Outcome = { code: number; object: object };
const ok = async (object: object | Promise<object>): Promise<Outcome> => ({
  code: 200,
  object: await object,
});
const created = async (object: object | Promise<object>): Promise<Outcome> => ({
  code: 201,
  object: await object,
});

function answerVerb(router: Router, call: Call): Promise<Outcome> {
  const { context } = router;
  checkVerb(call);
  const { verb, subresource } = call.info;
  if (subresource === 'token') {
    if (!router.serviceAccountTokens) throw noSuchPath();
    return created(requestToken(context, call, router.serviceAccountTokens));
  }
  if (subresource === 'scale') return ok(scale(context, call));
  if (subresource === 'binding') return created(bind(context, call));
  if (subresource === 'eviction') return created(evict(context, call));
  if (subresource === 'finalize') return ok(finalize(context, call));
  if (subresource === 'ephemeralcontainers' && verb !== 'get') {
    return ok(changeEphemeralContainers(context, call));
  }
  if (subresource === 'approval' && verb !== 'get') return ok(approve(context, call));
  if (call.resource.kind === componentStatus) return ok(getComponentStatus(context, call));
  if (call.resource.kind === binding) return created(bindNamed(router, call));
  switch (verb) {
    case 'get':
      return ok(get(context, call));
    case 'create':
      return created(create(context, call));
    case 'update':
      return update(context, call, () => allowCreate(router, call));
    case 'patch':
      return patch(context, call, () => allowCreate(router, call));
    case 'delete':
      return ok(deleteOne(context, call));
    case 'deletecollection':
      return ok(deleteCollection(context, call));
    default:
      throw methodNotAllowed();
  }
}

/** A Binding in a namespace's `bindings` is as good as one that is sent to its pod. */
function bindNamed(router: Router, call: Call): Promise<object> {
  const { name } = readObject(call, call.request.body, 'Warn').metadata ?? {};
  const pods = router.resources.get('/v1/pods');
  if (!name || !pods) throw badRequest('a Binding needs metadata.name, the pod');
  const info = { ...call.info, resource: 'pods', name, subresource: 'binding' };
  return bind(router.context, { ...call, resource: pods, info });
}

/** Some writes make what does not exist, which takes the right to create beside the one to patch or to update. */
function allowCreate(router: Router, { user, info, request }: Call): void {
  allow(router, { user, fieldSelector: '', resource: { ...info, verb: 'create' }, body: request.body });
}

const changes = ['get', 'update', 'patch'];

/** Whether the kind has the subresource and the verb fits what the path names. */
function checkVerb({ info, resource: { kind } }: Call): void {
  const { verb, subresource, name, namespace } = info;
  if (subresource !== undefined) {
    const { status, scale } = kind.subresources;
    const has = (subresource === 'status' && status) || (subresource === 'scale' && scale);
    const verbs = has ? changes : extraSubresourcesOf(kind).get(subresource);
    if (!verbs || name === undefined) throw kind.custom && name ? notFound(kind, name) : noSuchPath();
    if (!verbs.includes(verb)) throw methodNotAllowed();
  } else if (
    verb === 'create' ? name !== undefined : ['update', 'patch'].includes(verb) && name === undefined
  ) {
    throw methodNotAllowed();
  } else if (!kind.verbs.includes(verb)) {
    throw methodNotAllowed();
  }
  if (!kind.namespaced) {
    if (namespace !== undefined && kind.plural !== 'namespaces') throw noSuchPath();
  } else if (namespace === undefined && !['list', 'watch'].includes(verb)) {
    throw name === undefined ? methodNotAllowed() : noSuchPath();
  } else if (namespace === '') {
    throw badRequest('the namespace in the path is empty');
  }
}

/** The one place where what went wrong becomes an answer. */
export function failureResponse(status: StatusError): ApiResponse {
  const retryAfter = status.details?.retryAfterSeconds;
  const headers = { ...json, ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }) };
  const object: Status = status.toStatus();
  return { code: status.code, headers, kind: 'object', object };
}
