import { follows } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label, dns1123Subdomain, pathSegment } from '../names.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { object, oneOf, required, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const ingressClassParametersReference = object(
  'io.k8s.api.networking.v1.IngressClassParametersReference',
  {
    apiGroup: string({ doc: "The object's API group.", check: follows(dns1123Subdomain) }),
    kind: required(
      string({ doc: "The object's kind.", absent: 'kind is required', check: follows(pathSegment) }),
    ),
    name: required(
      string({ doc: "The object's name.", absent: 'name is required', check: follows(pathSegment) }),
    ),
    namespace: string({ doc: 'Its namespace, where the scope is Namespace.' }),
    scope: oneOf(['Cluster', 'Namespace'], { doc: 'Cluster or Namespace.', default: 'Cluster' }),
  },
  {
    check({ scope, namespace }, parametersAt, report) {
      const at = parametersAt.child('namespace');
      if (scope === 'Namespace') {
        if (namespace === undefined) report.required(at, "`parameters.scope` is set to 'Namespace'");
        else follows(dns1123Label)(namespace, at, report);
      } else if (scope === 'Cluster' && namespace !== undefined) {
        report.forbidden(at, "`parameters.scope` is set to 'Cluster'");
      }
    },
  },
);

export const ingressClassSpec = object('io.k8s.api.networking.v1.IngressClassSpec', {
  controller: string({
    doc: 'Who serves it, e.g. example.com/ingress; never changes.',
    checkUpdate: immutable,
  }),
  parameters: ingressClassParametersReference,
});

const schema = kindSchema(
  'io.k8s.api.networking.v1.IngressClass',
  { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' },
  { spec: ingressClassSpec },
  'IngressClass names a controller that serves Ingresses, and its settings.',
);

export interface IngressClass extends ObjectOf<typeof schema> {}

export const ingressClass = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  countsGenerations: true,
  schema,
  check: ({ spec }, report, root) =>
    checkController(spec?.controller ?? '', root.child('spec').child('controller'), report),
  columns: [
    nameColumn,
    { name: 'Controller', doc: 'Who serves it.', value: ({ spec }) => spec?.controller ?? '' },
    { name: 'Parameters', doc: 'Where its settings are.', value: parametersText },
    ageColumn,
  ],
});

const controllerBytesMax = 250;
const pathPattern = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/** `example.com/some/path`. */
function checkController(controller: string, at: Path, report: Report): void {
  if (Buffer.byteLength(controller) > controllerBytesMax) report.tooLong(at, controllerBytesMax);
  if (controller === '') {
    report.required(at);
    return;
  }
  const [, domain, path] = /^([^/]+)\/(.+)$/s.exec(controller) ?? [];
  if (domain === undefined || path === undefined) {
    report.invalid(at, controller, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  follows(dns1123Subdomain)(domain, at, report);
  if (!new RegExp(`^${pathPattern}$`).test(path)) {
    report.invalid(at, path, `Invalid path (regex used for validation is '${pathPattern}')`);
  }
}

function parametersText({ spec }: IngressClass): string {
  const { kind, apiGroup, name } = spec?.parameters ?? {};
  if (kind === undefined) return '<none>';
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`;
}
