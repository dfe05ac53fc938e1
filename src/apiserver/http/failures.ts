import { StatusError } from '../../base/errors.ts';
import type { ApiResponse } from '../../client/transport.ts';
import { failureResponse } from '../router.ts';

/** Says how to authenticate; container tools show their credentials only when they are asked for them. */
export function unauthorized(
  path: string,
  error = new StatusError('Unauthorized', 'Unauthorized'),
): ApiResponse {
  const answer = failureResponse(error);
  const scheme =
    path === '/v2' || path.startsWith('/v2/') ? 'Basic realm="selvage"' : 'Bearer realm="selvage"';
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': scheme } };
}
