import type { CertificateSigningRequest } from '../../api/kinds/certificateSigningRequest.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { ParsedRequest } from '../../identity/csr.ts';
import type { CertificateNames } from '../../identity/names.ts';
import { formatSpiffeId } from '../../identity/spiffe.ts';

export const nodeClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const nodeServingSigner = 'kubernetes.io/kubelet-serving';
export const userSigner = 'kubernetes.io/kube-apiserver-client';
export const workloadSigner = 'selvage.dev/workload';
const nodePrefix = 'system:node:';
const nodesGroup = 'system:nodes';
const bootstrappersGroup = 'system:bootstrappers';
const yearSeconds = 365 * 24 * 3600;
const daySeconds = 24 * 3600;
/** Kubernetes' own lower bound for what a request may ask. */
const lifetimeSecondsMin = 600;

export interface SigningTerms extends CertificateNames {
  usages: ('client' | 'server')[];
  lifetimeSeconds: number;
}

/** `terms` are what to sign; `denied` is why not; neither is for signers that are not ours, and before a person has approved. */
export type Decision = { terms: SigningTerms } | { denied: string } | { failed: string } | { ignored: true };

/**
 * Decides on a request by who made it: a node may ask for its own certificates and for those of pods bound to it,
 * a joining machine for a node's. The names in the certificate come from here, not from the request.
 */
export function decide(
  request: CertificateSigningRequest,
  parsed: ParsedRequest,
  options: { trustDomain: string; podOf: (namespace: string, name: string) => Pod | undefined },
): Decision {
  switch (request.spec.signerName) {
    case userSigner:
      return isApproved(request) ? user(request, parsed) : { ignored: true };
    case nodeClientSigner:
      return nodeClient(request, parsed, options.trustDomain);
    case nodeServingSigner:
      return nodeServing(request, parsed);
    case workloadSigner:
      return workload(request, parsed, options);
    default:
      return { ignored: true };
  }
}

/** A user of the API, whom somebody who may has approved: nobody is by himself. */
function user(request: CertificateSigningRequest, parsed: ParsedRequest): Decision {
  const { commonName, organizations, uris, dnsNames, ipAddresses } = parsed;
  if (!request.spec.usages?.includes('client auth'))
    return { failed: 'a client certificate needs the usage "client auth"' };
  if (uris.length + dnsNames.length + ipAddresses.length > 0)
    return { failed: 'a client certificate may not have DNS, IP or URI names' };
  const lifetimeSeconds = lifetime(request, yearSeconds);
  return { terms: { commonName, organizations, usages: ['client'], lifetimeSeconds } };
}

export const isApproved = ({ status }: CertificateSigningRequest): boolean =>
  status?.conditions?.some(({ type }) => type === 'Approved') ?? false;

function nodeClient(
  request: CertificateSigningRequest,
  parsed: ParsedRequest,
  trustDomain: string,
): Decision {
  const { username = '', groups = [] } = request.spec;
  const wrong = nodeSubjectProblem(parsed);
  if (wrong) return { denied: wrong };
  const node = parsed.commonName.slice(nodePrefix.length);
  const isJoining = groups.includes(bootstrappersGroup);
  if (!isJoining && !(groups.includes(nodesGroup) && username === parsed.commonName)) {
    return { denied: `user "${username}" may not ask for the certificate of node "${node}"` };
  }
  const uri = formatSpiffeId({ kind: 'node', trustDomain, node });
  if (parsed.uris.some((each) => each !== uri)) return { denied: `the only URI name allowed is ${uri}` };
  if (parsed.dnsNames.length + parsed.ipAddresses.length > 0) {
    return { denied: 'a node client certificate may not have DNS or IP names' };
  }
  return {
    terms: {
      commonName: parsed.commonName,
      organizations: [nodesGroup],
      uris: [uri],
      usages: ['client'],
      lifetimeSeconds: lifetime(request, yearSeconds),
    },
  };
}

function nodeServing(request: CertificateSigningRequest, parsed: ParsedRequest): Decision {
  const { username = '', groups = [] } = request.spec;
  const wrong = nodeSubjectProblem(parsed);
  if (wrong) return { denied: wrong };
  if (!groups.includes(nodesGroup) || username !== parsed.commonName) {
    return { denied: `user "${username}" may not ask for a serving certificate of "${parsed.commonName}"` };
  }
  if (parsed.dnsNames.length + parsed.ipAddresses.length === 0) {
    return { denied: 'a serving certificate needs a DNS or an IP name' };
  }
  if (parsed.uris.length > 0) return { denied: 'a serving certificate may not have URI names' };
  const service = parsed.dnsNames.find(isServiceName);
  if (service) return { denied: `"${service}" is the name of a Service, not of a node` };
  return {
    terms: {
      commonName: parsed.commonName,
      organizations: [nodesGroup],
      dnsNames: parsed.dnsNames,
      ipAddresses: parsed.ipAddresses,
      usages: ['server'],
      lifetimeSeconds: lifetime(request, yearSeconds),
    },
  };
}

/** Pods trust the cluster's authority when they call a Service by TLS: no node may be one. */
function isServiceName(name: string): boolean {
  return /^kubernetes(\.|$)|\.svc(\.|$)|\.cluster\.local$/i.test(name);
}

function workload(
  request: CertificateSigningRequest,
  parsed: ParsedRequest,
  { trustDomain, podOf }: Parameters<typeof decide>[2],
): Decision {
  const { username = '', groups = [] } = request.spec;
  if (!groups.includes(nodesGroup) || !username.startsWith(nodePrefix)) {
    return { denied: `only nodes may ask for the identity of a pod; the user is "${username}"` };
  }
  const annotations = request.metadata?.annotations ?? {};
  const namespace = annotations['selvage.dev/pod-namespace'] ?? '';
  const name = annotations['selvage.dev/pod-name'] ?? '';
  const pod = podOf(namespace, name);
  if (!pod || pod.metadata?.uid !== annotations['selvage.dev/pod-uid']) {
    return { denied: `there is no pod "${namespace}/${name}" with the uid that the request names` };
  }
  const node = username.slice(nodePrefix.length);
  if (pod.spec?.nodeName !== node) {
    return { denied: `pod "${namespace}/${name}" is not bound to node "${node}"` };
  }
  const serviceAccount = pod.spec?.serviceAccountName || 'default';
  const uri = formatSpiffeId({ kind: 'workload', trustDomain, namespace, serviceAccount });
  if (parsed.uris.length !== 1 || parsed.uris[0] !== uri) {
    return { denied: `the request must have the one URI name ${uri}` };
  }
  if (parsed.dnsNames.length + parsed.ipAddresses.length > 0) {
    return { denied: 'a workload certificate may not have DNS or IP names' };
  }
  // The SPIFFE id is the identity. A common name would make the pod a user of the API.
  const lifetimeSeconds = lifetime(request, daySeconds);
  return { terms: { commonName: '', uris: [uri], usages: ['client', 'server'], lifetimeSeconds } };
}

function nodeSubjectProblem({ commonName, organizations }: ParsedRequest): string | undefined {
  if (!/^system:node:[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(commonName)) {
    return `the common name must be ${nodePrefix}<name>, it is "${commonName}"`;
  }
  const isNodes = organizations.length === 1 && organizations[0] === nodesGroup;
  return isNodes ? undefined : `the organization must be ${nodesGroup} alone`;
}

function lifetime({ spec }: CertificateSigningRequest, secondsMax: number): number {
  return Math.min(secondsMax, Math.max(lifetimeSecondsMin, spec.expirationSeconds ?? secondsMax));
}
