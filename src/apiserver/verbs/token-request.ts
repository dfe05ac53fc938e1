import { invalid } from '../../api/invalid.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { KubeObject } from '../../api/object.ts';
import { toTime } from '../../base/clock.ts';
import type {
  ServiceAccountTokenRequest,
  ServiceAccountTokens,
} from '../../identity/service-account-token.ts';
import { admitSubresource } from '../admission/subresource.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, conflict, notFound } from '../failures.ts';
import { isRecord, readWriteOptions } from '../options.ts';
import type { ResourceInfo } from '../request-info.ts';
import { keyOf } from '../stored.ts';

const secondsDefault = 3600;
const secondsMin = 600;
const secondsMax = 2 ** 32;

/** `authentication.k8s.io/v1` TokenRequest. */
interface TokenRequest extends KubeObject {
  spec: { audiences: string[]; expirationSeconds: number; boundObjectRef: BoundObject | undefined };
  status?: { token: string; expirationTimestamp: string };
}

interface BoundObject {
  kind: string;
  apiVersion: string;
  name: string;
  uid: string;
}

/** Answers a POST of `serviceaccounts/NAME/token`: a fresh token, which lives no longer than what it is bound to. */
export async function requestToken(
  context: Context,
  call: Call,
  tokens: ServiceAccountTokens,
): Promise<TokenRequest> {
  const name = call.info.name!;
  const namespace = call.info.namespace!;
  const account = read(context, 'serviceaccounts', namespace, name);
  if (!account) throw notFound(call.resource.kind, name);
  const { dryRun } = readWriteOptions(call.request);
  const form = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' };
  const body = await admitSubresource(context, call, { form, body: call.request.body, dryRun });
  const spec = readSpec(call.info, body, tokens);
  const bound = boundTo(context, { namespace, account: name, spec });
  const nowMs = context.clock.nowMs();
  const request: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace, creationTimestamp: toTime(nowMs) },
    spec,
  };
  if (dryRun) return request;
  const { token, expirationMs } = tokens.issue({
    namespace,
    serviceAccount: { name, uid: account.metadata!.uid! },
    audiences: spec.audiences,
    lifetimeSeconds: spec.expirationSeconds,
    ...bound,
  });
  return { ...request, status: { token, expirationTimestamp: toTime(expirationMs) } };
}

function readSpec(
  info: ResourceInfo,
  { metadata, spec }: KubeObject & { spec?: unknown },
  tokens: ServiceAccountTokens,
): TokenRequest['spec'] {
  const { name, namespace } = metadata ?? {};
  if (namespace && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (name && name !== info.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  }
  const { audiences, expirationSeconds, boundObjectRef } = isRecord(spec) ? spec : {};
  const asked = Array.isArray(audiences) ? audiences.filter((one) => typeof one === 'string') : [];
  const seconds = expirationSeconds ?? secondsDefault;
  return {
    audiences: asked.length > 0 ? asked : [tokens.issuer],
    expirationSeconds: checkSeconds(seconds),
    boundObjectRef: isRecord(boundObjectRef) ? readBound(boundObjectRef) : undefined,
  };
}

function checkSeconds(seconds: unknown): number {
  const isNumber = typeof seconds === 'number' && Number.isInteger(seconds);
  if (isNumber && seconds >= secondsMin && seconds <= secondsMax) return seconds;
  const detail =
    isNumber && seconds > secondsMax
      ? 'may not specify a duration larger than 2^32 seconds'
      : 'may not specify a duration less than 10 minutes';
  throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
    {
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(seconds)}: ${detail}`,
      field: 'spec.expirationSeconds',
    },
  ]);
}

function readBound(reference: Record<string, unknown>): BoundObject {
  const text = (field: string) => (typeof reference[field] === 'string' ? reference[field] : '');
  return { kind: text('kind'), apiVersion: text('apiVersion'), name: text('name'), uid: text('uid') };
}

const boundKinds: Record<string, { field: 'pod' | 'secret' | 'node'; plural: string }> = {
  Pod: { field: 'pod', plural: 'pods' },
  Secret: { field: 'secret', plural: 'secrets' },
  Node: { field: 'node', plural: 'nodes' },
};

/** What the token says that it is bound to; it must be there, and a pod must run as the service account. */
function boundTo(
  context: Context,
  { namespace, account, spec }: { namespace: string; account: string; spec: TokenRequest['spec'] },
): Partial<ServiceAccountTokenRequest> {
  const bound = spec.boundObjectRef;
  if (!bound) return {};
  const kind =
    bound.apiVersion === 'v1' && Object.hasOwn(boundKinds, bound.kind) ? boundKinds[bound.kind] : undefined;
  if (!kind) throw badRequest(`cannot bind token to object of type ${bound.apiVersion}, Kind=${bound.kind}`);
  const { field, plural } = kind;
  const object = read(context, plural, field === 'node' ? undefined : namespace, bound.name);
  if (!object) throw notFound({ group: '', plural, kind: bound.kind }, bound.name);
  const uid = object.metadata!.uid!;
  if (bound.uid !== '' && bound.uid !== uid) {
    const why =
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. ` +
      'The object might have been deleted and then recreated';
    throw conflict({ group: '', plural, kind: bound.kind }, bound.name, why);
  }
  const reference = { name: bound.name, uid };
  if (field !== 'pod') return { [field]: reference };
  const { serviceAccountName, nodeName } = (object as Pod).spec ?? {};
  if ((serviceAccountName || 'default') !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  const node = nodeName ? read(context, 'nodes', undefined, nodeName) : undefined;
  return { pod: reference, ...(node && { node: { name: nodeName!, uid: node.metadata!.uid! } }) };
}

function read(
  { store }: Context,
  plural: string,
  namespace: string | undefined,
  name: string,
): KubeObject | undefined {
  const kind = { group: '', plural, namespaced: namespace !== undefined };
  return store.get(keyOf(kind, namespace, name))?.value as KubeObject | undefined;
}
