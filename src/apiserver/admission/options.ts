import type { ApiRequest } from '../../client/transport.ts';
import { readDeleteOptions } from '../options.ts';
import { isTrue } from '../request-info.ts';
import type { Operation } from './chain.ts';

/** The options of a write as an object of `meta.k8s.io/v1`, which is how webhooks and policies see them. */
export function optionsOf({ method, query, body }: ApiRequest, operation: Operation): object {
  const apiVersion = 'meta.k8s.io/v1';
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  if (operation === 'DELETE') {
    const { dryRun: isDry, isAdmitted: _, ...options } = readDeleteOptions(query, body);
    return { kind: 'DeleteOptions', apiVersion, ...options, ...(isDry && { dryRun: ['All'] }) };
  }
  const kind = { POST: 'CreateOptions', PUT: 'UpdateOptions', PATCH: 'PatchOptions' }[method as 'POST'];
  const shown: Record<string, unknown> = { kind: kind ?? 'CreateOptions', apiVersion };
  if (dryRun.length > 0) shown.dryRun = dryRun;
  for (const name of ['fieldManager', 'fieldValidation']) if (query.get(name)) shown[name] = query.get(name);
  if (method === 'PATCH' && query.has('force')) shown.force = isTrue(query.get('force'));
  return shown;
}
