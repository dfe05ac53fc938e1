import type { CertificateSigningRequest } from '../../api/kinds/certificateSigningRequest.ts';
import type { Strategy } from './strategy.ts';

/** Who asks for a certificate is what authentication found, never what the request says. */
export const certificateSigningRequestStrategy: Strategy<CertificateSigningRequest> = {
  prepareCreate(request, user) {
    if (!request.spec) return;
    request.spec.username = user.name;
    request.spec.groups = [...user.groups];
    if (user.uid === undefined) delete request.spec.uid;
    else request.spec.uid = user.uid;
    if (user.extra === undefined) delete request.spec.extra;
    else request.spec.extra = structuredClone(user.extra) as Record<string, string[]>;
  },
  prepareUpdate(next, previous) {
    if (previous.spec) next.spec = structuredClone(previous.spec);
  },
};
