import { kinds } from '../../api/kinds/index.ts';
import { apiVersionOf } from '../../api/object.ts';
import { objectMeta } from '../../api/parts/meta.ts';
import {
  boolean,
  integer,
  list,
  map,
  object,
  type Schema,
  type SchemaNode,
  string,
} from '../../api/schema.ts';
import { StatusError } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';
import { decodeMessage } from './decode-message.ts';
import { readFields, toBytes, toText } from './wire.ts';

/**
 * Decodes a body that kubectl or a client library sends in Kubernetes' protobuf form: the bytes `k8s\0`, then a
 * `runtime.Unknown` that says what the message in it is.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
export function decodeProtobufBody(body: Buffer): object {
  if (body.toString('latin1', 0, 4) !== 'k8s\0') {
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix "k8s\\0"');
  }
  let type = { apiVersion: '', kind: '' };
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of readFields(body.subarray(4))) {
    if (number === 1) type = readType(toBytes(value));
    if (number === 2) raw = toBytes(value);
  }
  const schema = schemaOf(type);
  // A client that speaks of a kind by its name asked for one that is not served.
  if (!schema && /^[A-Z]\w*$/.test(type.kind)) {
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  }
  if (!schema) throw badRequest('the protobuf message does not say what it holds');
  return { ...type, ...decodeMessage(schema, raw) };
}

function readType(bytes: Buffer): { apiVersion: string; kind: string } {
  const type = { apiVersion: '', kind: '' };
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) type.apiVersion = toText(value);
    if (number === 2) type.kind = toText(value);
  }
  return type;
}

function schemaOf(type: { apiVersion: string; kind: string }): SchemaNode | undefined {
  const kind = kinds.find((one) => one.kind === type.kind && apiVersionOf(one) === type.apiVersion);
  return kind?.schema ?? bodies[type.kind];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const deleteOptions = object(`${meta}.DeleteOptions`, {
  gracePeriodSeconds: integer(),
  preconditions: object(`${meta}.Preconditions`, { uid: string(), resourceVersion: string() }),
  orphanDependents: boolean(),
  propagationPolicy: string(),
  dryRun: list(string()),
});

const accessReview = (kind: string, fields: Record<string, Schema<unknown>> = {}) =>
  object(`io.k8s.api.authorization.v1.${kind}`, {
    metadata: objectMeta,
    spec: object(`io.k8s.api.authorization.v1.${kind.replace('Local', '')}Spec`, {
      resourceAttributes: object('io.k8s.api.authorization.v1.ResourceAttributes', {
        namespace: string(),
        verb: string(),
        group: string(),
        version: string(),
        resource: string(),
        subresource: string(),
        name: string(),
      }),
      nonResourceAttributes: object('io.k8s.api.authorization.v1.NonResourceAttributes', {
        path: string(),
        verb: string(),
      }),
      ...fields,
    }),
  });
const whose = { user: string(), groups: list(string()), uid: string(), extra: map(list(string())) };

const accessReviews: Record<string, SchemaNode> = {
  SelfSubjectAccessReview: accessReview('SelfSubjectAccessReview'),
  SubjectAccessReview: accessReview('SubjectAccessReview', whose),
  LocalSubjectAccessReview: accessReview('LocalSubjectAccessReview', whose),
  SelfSubjectRulesReview: object('io.k8s.api.authorization.v1.SelfSubjectRulesReview', {
    spec: object('io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec', { namespace: string() }),
  }),
};

/** What is sent and never stored. */
const bodies: Record<string, SchemaNode> = {
  DeleteOptions: deleteOptions,
  Binding: object('io.k8s.api.core.v1.Binding', {
    metadata: objectMeta,
    target: object('io.k8s.api.core.v1.ObjectReference', { kind: string(), name: string() }),
  }),
  Eviction: object('io.k8s.api.policy.v1.Eviction', { metadata: objectMeta, deleteOptions }),
  Scale: object('io.k8s.api.autoscaling.v1.Scale', {
    metadata: objectMeta,
    spec: object('io.k8s.api.autoscaling.v1.ScaleSpec', { replicas: integer() }),
  }),
  SelfSubjectReview: object('io.k8s.api.authentication.v1.SelfSubjectReview', {}),
  TokenRequest: object('io.k8s.api.authentication.v1.TokenRequest', {
    metadata: objectMeta,
    spec: object('io.k8s.api.authentication.v1.TokenRequestSpec', {
      audiences: list(string()),
      boundObjectRef: object('io.k8s.api.authentication.v1.BoundObjectReference', {
        kind: string(),
        apiVersion: string(),
        name: string(),
        uid: string(),
      }),
      expirationSeconds: integer(),
    }),
  }),
  TokenReview: object('io.k8s.api.authentication.v1.TokenReview', {
    spec: object('io.k8s.api.authentication.v1.TokenReviewSpec', {
      token: string(),
      audiences: list(string()),
    }),
  }),
  ...accessReviews,
};
