import { StatusError } from '../../base/errors.ts';
import type { ApiRequest } from '../../client/transport.ts';
import { passedTo } from '../aggregation/pass-on.ts';
import { annotationsOf } from '../audit/notes.ts';
import { noSuchPath } from '../failures.ts';
import { readResourceInfo } from '../request-info.ts';
import { allow, type Router } from '../router.ts';
import type { User } from '../user.ts';
import type { Passed } from './forward.ts';
import { passedOn } from './proxy.ts';

/** What an upgrade becomes on its way to a server behind this one; throws StatusError if it may not be had. */
export async function openPassed(router: Router, request: ApiRequest, user: User): Promise<Passed> {
  const info = readResourceInfo(request);
  if (!info) throw noSuchPath();
  allow(router, { user, fieldSelector: '', resource: info }, request);
  const remote = router.aggregation.find(request.path);
  if (remote && !remote.isAvailable) throw new StatusError('ServiceUnavailable', 'service unavailable');
  if (remote) return passedTo(remote, request, user);
  const resource = router.resources.get(`/v1/${info.resource}`);
  if (!resource) throw noSuchPath();
  const auditAnnotations = annotationsOf(request);
  const call = { request, info, user, resource, warnings: [], auditAnnotations };
  const { passed } = await passedOn(router.context, call, router);
  return passed;
}
