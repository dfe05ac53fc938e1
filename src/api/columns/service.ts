import type { Column } from '../kind.ts';
import type { Service } from '../kinds/service.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const serviceColumns: Column<Service>[] = [
  nameColumn,
  { name: 'Type', doc: 'How the service is reached.', value: (service) => service.spec?.type ?? 'ClusterIP' },
  {
    name: 'Cluster-IP',
    doc: 'Its address inside the cluster.',
    value: (service) => service.spec?.clusterIP || '<none>',
  },
  { name: 'External-IP', doc: 'Its addresses outside the cluster.', value: externalAddress },
  { name: 'Port(s)', doc: 'Its ports, with the node port where there is one.', value: portsText },
  ageColumn,
  {
    name: 'Selector',
    priority: 1,
    doc: 'The labels of the pods behind it.',
    value: (service) =>
      Object.entries(service.spec?.selector ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(',') || '<none>',
  },
];

function externalAddress(service: Service): string {
  const own = service.spec?.externalIPs ?? [];
  switch (service.spec?.type) {
    case 'ExternalName':
      return service.spec.externalName ?? '<none>';
    case 'LoadBalancer': {
      const ingress = (service.status?.loadBalancer?.ingress ?? []).map(
        (each) => each.ip || each.hostname || '',
      );
      return [...new Set([...ingress.filter((address) => address !== ''), ...own])].join(',') || '<pending>';
    }
    default:
      return own.join(',') || '<none>';
  }
}

function portsText(service: Service): string {
  const texts = (service.spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol ?? 'TCP'}` : `${port}/${protocol ?? 'TCP'}`,
  );
  return texts.join(',') || '<none>';
}
