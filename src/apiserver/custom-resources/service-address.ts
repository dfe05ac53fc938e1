import type { EndpointSlice } from '../../api/kinds/endpointSlice.ts';
import { type Service, service as serviceKind } from '../../api/kinds/service.ts';
import type { Store } from '../../store/store.ts';
import { keyOf, prefixOf } from '../stored.ts';

const endpointSlices = { group: 'discovery.k8s.io', plural: 'endpointslices' };
const nameLabel = 'kubernetes.io/service-name';

/** Where a webhook that is a Service can be reached from here: one of its endpoints. Throws where there is none. */
export function serviceAddress(
  store: Store,
  { name, namespace, port = 443 }: { name: string; namespace: string; port?: number },
): { host: string; port: number; servername: string } {
  const service = store.get(keyOf(serviceKind, namespace, name))?.value as Service | undefined;
  if (!service)
    throw new Error(
      `service ${JSON.stringify(name)} not found in the namespace ${JSON.stringify(namespace)}`,
    );
  const wanted = service.spec?.ports?.find((one) => one.port === port);
  if (!wanted) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  const slices = store
    .list(prefixOf(endpointSlices, namespace))
    .items.map(({ value }) => value as EndpointSlice)
    .filter(({ metadata }) => metadata?.labels?.[nameLabel] === name);
  for (const { endpoints, ports = [] } of slices) {
    const ready = (endpoints ?? []).find(({ conditions }) => conditions?.ready !== false);
    const target = ports.find((one) => (one.name ?? '') === (wanted.name ?? '')) ?? ports[0];
    const [host] = ready?.addresses ?? [];
    if (host && target?.port) return { host, port: target.port, servername: `${name}.${namespace}.svc` };
  }
  throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
}
