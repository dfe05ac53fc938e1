import type { APIService } from '../../api/kinds/apiService.ts';
import { type Endpoints, endpoints as endpointsKind } from '../../api/kinds/endpoints.ts';
import { type Service, service as serviceKind } from '../../api/kinds/service.ts';
import { messageOf } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import { keyOf } from '../stored.ts';
import { type Reach, readFrom, remoteOf } from './remote.ts';

/** What is found of an APIService: the condition `Available`. */
export interface Finding {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

/** A server that answers one of so many questions is there; others of its pods may be failing. */
const attempts = 5;

/** Whether an APIService's server can be asked, in Kubernetes' reasons and words. */
export async function check({ spec }: APIService, store: Store, reach: Reach): Promise<Finding> {
  const missing = missingBackend(spec!, store);
  if (missing) return missing;
  const { group = '', version = '' } = spec ?? {};
  // Whose certificate it shows is not asked here: who uses it will be told.
  const { caBundle: _, ...service } = spec!;
  const upstream = remoteOf({ ...service, insecureSkipTLSVerify: true }, reach);
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const url = `https://${upstream.host}${path}`;
  let last: unknown;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      const { code } = await readFrom(upstream, path);
      if (code >= 200 && code < 300) {
        return { status: 'True', reason: 'Passed', message: 'all checks passed' };
      }
      last = new Error(`bad status from ${url}: ${code}`);
    } catch (error) {
      last = error;
    }
  }
  const message = `failing or missing response from ${url}: ${messageOf(last)}`;
  return { status: 'False', reason: 'FailedDiscoveryCheck', message };
}

/** What is not there, if anything, without asking. */
function missingBackend({ service }: NonNullable<APIService['spec']>, store: Store): Finding | undefined {
  const { namespace = '', name = '', port = 443 } = service ?? {};
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const no = (reason: string, message: string): Finding => ({ status: 'False', reason, message });
  const spec = (store.get(keyOf(serviceKind, namespace, name))?.value as Service | undefined)?.spec;
  if (!spec) return no('ServiceNotFound', `${where} is not present`);
  // Only of these the endpoints must be known here.
  if ((spec.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const declared = spec.ports?.find((each) => each.port === port);
  if (!declared) return no('ServicePortError', `${where} is not listening on port ${port}`);
  const stored = store.get(keyOf(endpointsKind, namespace, name));
  if (!stored) return no('EndpointsNotFound', `cannot find endpoints for ${where}`);
  const { subsets = [] } = stored.value as Endpoints;
  const portName = declared.name ?? '';
  const isActive = subsets.some(
    ({ addresses = [], ports = [] }) =>
      addresses.length > 0 && ports.some((each) => (each.name ?? '') === portName),
  );
  if (isActive) return undefined;
  const text = `endpoints for ${where} have no addresses with port name ${JSON.stringify(portName)}`;
  return no('MissingEndpoints', text);
}
