import type { CertificateSigningRequest } from '../../api/kinds/certificateSigningRequest.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { readWriteOptions } from '../options.ts';
import { readPatch } from './patch.ts';
import { change } from './update.ts';

/** Answers a PUT or PATCH of a certificate request's approval: it changes the conditions and nothing else. */
export function approve(context: Context, call: Call): Promise<KubeObject> {
  const options = readWriteOptions(call.request);
  const apply = call.info.verb === 'patch' ? readPatch(call) : () => call.request.body;
  return change(context, call, {
    part: 'status',
    dryRun: options.dryRun,
    next: (current) => {
      const wanted = readObject(call, apply(current), options.fieldValidation) as CertificateSigningRequest;
      const status = { ...(current as CertificateSigningRequest).status };
      if (wanted.status?.conditions) status.conditions = wanted.status.conditions;
      return { ...wanted, status } as CertificateSigningRequest;
    },
  });
}
