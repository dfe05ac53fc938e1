import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';

/** The kind of Kubernetes' own example, for tests; `more` goes into the spec, `version` into its only version. */
export function cronTabDefinition(
  options: { spec?: object; version?: object; schema?: object } = {},
): CustomResourceDefinition {
  const schema = options.schema ?? {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        required: ['cronSpec'],
        properties: {
          cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
          image: { type: 'string' },
          replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
        },
      },
      status: {
        type: 'object',
        properties: { replicas: { type: 'integer' }, labelSelector: { type: 'string' } },
      },
    },
  };
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    ...options.version,
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
      versions: [version],
      ...options.spec,
    },
  };
}

export interface CronTab extends KubeObject {
  // biome-ignore lint/suspicious/noExplicitAny: its schema is the test's.
  spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  status?: any;
}

/** How to ask for CronTabs. */
export const cronTabs = (version = 'v1'): KindAddress<CronTab> => ({
  group: 'stable.example.com',
  version,
  kind: 'CronTab',
  plural: 'crontabs',
  namespaced: true,
});

export const cronTab = (name: string, spec: object = {}, version = 'v1'): CronTab => ({
  apiVersion: `stable.example.com/${version}`,
  kind: 'CronTab',
  metadata: { name, namespace: 'default' },
  spec: { cronSpec: '* * * * *', ...spec },
});
