import { isEqualSemantically } from '../../api/equal.ts';
import type { CertificateSigningRequest } from '../../api/kinds/certificateSigningRequest.ts';
import { parseRequest } from '../../identity/csr.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import type { User } from '../user.ts';
import type { AdmissionPlugin, Operation } from './chain.ts';
import { refused } from './refusal.ts';

type Authorize = (attributes: Attributes) => Decision;

const clientSigner = 'kubernetes.io/kube-apiserver-client';

const onRequests =
  (operation: Operation, sub: string | undefined): NonNullable<AdmissionPlugin['handles']> =>
  (asked, { group, plural }, subresource) =>
    asked === operation &&
    subresource === sub &&
    `${plural}.${group}` === 'certificatesigningrequests.certificates.k8s.io';

/**
 * Who may approve and sign for which signer, and what no certificate may say.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization
 */
export function certificatePlugins(authorize: Authorize): AdmissionPlugin[] {
  return [
    {
      name: 'CertificateApproval',
      handles: onRequests('UPDATE', 'approval'),
      validate(request) {
        const { signerName = '' } = (request.oldObject as CertificateSigningRequest).spec ?? {};
        if (maySign(authorize, request.user, 'approve', signerName)) return;
        throw refused(request, `user not permitted to approve requests with signerName "${signerName}"`);
      },
    },
    {
      name: 'CertificateSigning',
      handles: onRequests('UPDATE', 'status'),
      validate(request) {
        const [next, previous] = [request.object, request.oldObject] as CertificateSigningRequest[];
        if (isEqualSemantically(signed(next!), signed(previous!))) return;
        const { signerName = '' } = previous!.spec ?? {};
        if (maySign(authorize, request.user, 'sign', signerName)) return;
        throw refused(request, `user not permitted to sign requests with signerName "${signerName}"`);
      },
    },
    {
      name: 'CertificateSubjectRestriction',
      handles: onRequests('CREATE', undefined),
      validate(request) {
        const { spec } = request.object as CertificateSigningRequest;
        if (spec?.signerName !== clientSigner || !organizationsOf(spec.request).includes('system:masters'))
          return;
        throw refused(request, `use of ${clientSigner} signer with system:masters group is not allowed`);
      },
    },
  ];
}

/** What a signer writes: the certificate, or that there is none. */
function signed({ status }: CertificateSigningRequest): object {
  const failed = status?.conditions?.filter(({ type }) => type === 'Failed') ?? [];
  return { certificate: status?.certificate ?? '', failed };
}

/** By the signer's name, or by its domain: `example.com/*`. */
function maySign(authorize: Authorize, user: User, verb: string, signerName: string): boolean {
  return [signerName, `${signerName.split('/')[0]}/*`].some(
    (name) =>
      authorize({
        user,
        fieldSelector: '',
        resource: {
          // The verbs of signers are of their own, not those of requests.
          verb: verb as 'update',
          group: 'certificates.k8s.io',
          version: '*',
          resource: 'signers',
          subresource: undefined,
          namespace: undefined,
          name,
        },
      }).allowed,
  );
}

/** Those of a request that cannot be read are its validation's to judge. */
function organizationsOf(request: string): readonly string[] {
  try {
    return parseRequest(Buffer.from(request, 'base64').toString()).organizations;
  } catch {
    return [];
  }
}
