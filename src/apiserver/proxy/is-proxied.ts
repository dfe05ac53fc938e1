import type { ApiRequest } from '../../client/transport.ts';
import { type ResourceInfo, readResourceInfo } from '../request-info.ts';
import type { Router } from '../router.ts';

/** What admission sees of a request that is passed on, by resource. */
export const proxyOptionKinds = {
  pods: 'PodProxyOptions',
  services: 'ServiceProxyOptions',
  nodes: 'NodeProxyOptions',
} as const;

/** Whether a request is for what is behind a pod, Service or node. */
export function isProxied(
  info: Pick<ResourceInfo, 'group' | 'version' | 'resource' | 'subresource'>,
): boolean {
  const { group, version, resource, subresource } = info;
  return group === '' && version === 'v1' && subresource === 'proxy' && resource in proxyOptionKinds;
}

/** Whether another server answers what lies at a path. */
export function isPassedOn({ aggregation }: Router, { path }: Pick<ApiRequest, 'path'>): boolean {
  if (aggregation.find(path)) return true;
  // What a path is about does not depend on the method.
  const info = readResourceInfo({ method: 'GET', path, query: new URLSearchParams(), headers: {} });
  return info !== undefined && isProxied(info);
}
