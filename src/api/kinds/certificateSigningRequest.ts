import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import {
  bytes,
  integer,
  keyedList,
  list,
  map,
  object,
  oneOf,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';

export const certificateSigningRequestSpec = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestSpec',
  {
    expirationSeconds: integer(),
    extra: map(list(string())),
    groups: list(string()),
    request: required(bytes()),
    signerName: required(string()),
    uid: string(),
    usages: list(string()),
    username: string(),
  },
);
export type CertificateSigningRequestSpec = TypeOf<typeof certificateSigningRequestSpec>;

export const certificateSigningRequestCondition = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestCondition',
  {
    lastTransitionTime: time(),
    lastUpdateTime: time(),
    message: string(),
    reason: string(),
    status: required(oneOf(['True', 'False', 'Unknown'])),
    type: required(string()),
  },
);
export type CertificateSigningRequestCondition = TypeOf<typeof certificateSigningRequestCondition>;

export const certificateSigningRequestStatus = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestStatus',
  {
    certificate: bytes(),
    conditions: keyedList(['type'], certificateSigningRequestCondition, { mergeKey: undefined }),
  },
);
export type CertificateSigningRequestStatus = TypeOf<typeof certificateSigningRequestStatus>;

const schema = kindSchema(
  'io.k8s.api.certificates.v1.CertificateSigningRequest',
  { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' },
  {
    spec: required(certificateSigningRequestSpec),
    status: certificateSigningRequestStatus,
  },
  'CertificateSigningRequest asks a signer of the cluster for an X.509 certificate.',
);

export interface CertificateSigningRequest extends ObjectOf<typeof schema> {}

export const certificateSigningRequest = defineKind<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  shortNames: ['csr'],
  namespaced: false,
  schema,
  subresources: { status: true },
});
