import type { Route } from '../../mesh/route-table.ts';

/** A Service as a pod's environment shows it. */
export type LinkedService = Pick<Route, 'namespace' | 'name' | 'clusterIPs'> & {
  ports: readonly { name: string; port: number }[];
};

/**
 * The variables in which a pod finds the Services of its namespace, in both of Kubernetes' forms
 * (`WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR`). The API server's are there even without `enableServiceLinks`.
 */
export function serviceVariables(
  services: readonly LinkedService[],
  pod: { namespace: string; enableServiceLinks: boolean },
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const service of services) {
    const isApi = service.namespace === 'default' && service.name === 'kubernetes';
    const isLinked = pod.enableServiceLinks && service.namespace === pod.namespace;
    if (isApi || isLinked) Object.assign(values, variablesOf(service));
  }
  return values;
}

function variablesOf({ name, clusterIPs, ports }: LinkedService): Record<string, string> {
  const [ip] = clusterIPs;
  const [first] = ports;
  // Headless Services have no address to show.
  if (ip === undefined || first === undefined) return {};
  const prefix = variableName(name);
  const values: Record<string, string> = {
    [`${prefix}_SERVICE_HOST`]: ip,
    [`${prefix}_SERVICE_PORT`]: String(first.port),
    [`${prefix}_PORT`]: `tcp://${ip}:${first.port}`,
  };
  for (const { name: portName, port } of ports) {
    if (portName !== '') values[`${prefix}_SERVICE_PORT_${variableName(portName)}`] = String(port);
    const link = `${prefix}_PORT_${port}_TCP`;
    values[link] = `tcp://${ip}:${port}`;
    values[`${link}_PROTO`] = 'tcp';
    values[`${link}_PORT`] = String(port);
    values[`${link}_ADDR`] = ip;
  }
  return values;
}

const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_');
