import { humanDuration } from '../duration.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Subdomain } from '../names.ts';
import {
  bytes,
  type Check,
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
import { ageColumn, nameColumn } from '../table.ts';

function checkRequest(...[value, at, report]: Parameters<Check<string>>): void {
  const isRequest = /-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(
    Buffer.from(value, 'base64').toString('latin1'),
  );
  if (!isRequest) report.invalid(at, value, 'PEM block type must be CERTIFICATE REQUEST');
}

function checkSigner(...[value, at, report]: Parameters<Check<string>>): void {
  const [domain = '', ...path] = value.split('/');
  if (path.length === 0) {
    report.invalid(
      at,
      value,
      'must be a fully qualified domain and path of the form "example.com/signer-name"',
    );
  }
  for (const wrong of dns1123Subdomain(domain)) report.invalid(at, domain, wrong);
}

export const certificateSigningRequestSpec = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestSpec',
  {
    expirationSeconds: integer({
      doc: 'For how long it shall be valid; the signer may choose another time.',
      check(value, at, report) {
        if (value < 600)
          report.invalid(at, value, 'may not specify a duration less than 600 seconds (10 minutes)');
      },
    }),
    extra: map(list(string()), { doc: 'More about who asks; the server sets it.' }),
    groups: list(string(), { doc: 'The groups of who asks; the server sets them.' }),
    request: required(bytes({ doc: 'The PKCS #10 request in PEM, in base64.', check: checkRequest })),
    signerName: required(
      string({ doc: 'Who is asked to sign, e.g. kubernetes.io/kubelet-serving.', check: checkSigner }),
    ),
    uid: string({ doc: 'The UID of who asks; the server sets it.' }),
    usages: required(list(string(), { doc: 'What the key shall be used for.' })),
    username: string({ doc: 'Who asks; the server sets it.' }),
  },
);
export type CertificateSigningRequestSpec = TypeOf<typeof certificateSigningRequestSpec>;

export const certificateSigningRequestCondition = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestCondition',
  {
    lastTransitionTime: time({ doc: 'When its status changed last.' }),
    lastUpdateTime: time({ doc: 'When it was written last.' }),
    message: string({ doc: 'Why, for people.' }),
    reason: string({ doc: 'Why, in one word, for programs.' }),
    status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
    type: required(string({ doc: 'What the condition is about.' })),
  },
);
export type CertificateSigningRequestCondition = TypeOf<typeof certificateSigningRequestCondition>;

export const certificateSigningRequestStatus = object(
  'io.k8s.api.certificates.v1.CertificateSigningRequestStatus',
  {
    certificate: bytes({ doc: 'The certificate chain in PEM, in base64.' }),
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
  countsGenerations: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    ageColumn,
    { name: 'SignerName', doc: 'Who is asked to sign.', value: ({ spec }) => spec.signerName },
    { name: 'Requestor', doc: 'Who asks.', value: ({ spec }) => spec.username ?? '' },
    {
      name: 'RequestedDuration',
      doc: 'For how long the certificate shall be valid.',
      value: ({ spec }) =>
        spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
    },
    { name: 'Condition', doc: 'Pending, Approved, Denied, Failed, Issued.', value: conditionText },
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
});

function conditionText({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map(({ type }) => type));
  const decided = ['Denied', 'Approved'].find((type) => types.has(type)) ?? 'Pending';
  const more = [...(types.has('Failed') ? ['Failed'] : []), ...(status?.certificate ? ['Issued'] : [])];
  return [decided, ...more].join(',');
}
