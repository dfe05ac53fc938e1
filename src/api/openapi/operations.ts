import type { KindDefinition } from '../kind.ts';
import { pathOf } from '../object.ts';

/** One operation of the API, before it is written in one version of OpenAPI or the other. */
export interface Operation {
  path: string;
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  id: string;
  tag: string;
  description: string;
  /** As `x-kubernetes-action`. */
  action: string;
  about: { group: string; kind: string; version: string };
  query: readonly string[];
  /** The component that is sent, and the one that comes back. */
  body: string | undefined;
  answer: string;
  /** The media types that it takes. */
  consumes: readonly string[];
}

const strategicType = 'application/strategic-merge-patch+json';
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  strategicType,
  'application/apply-patch+yaml',
];
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const write = ['dryRun', 'fieldManager', 'fieldValidation'];
const select = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'timeoutSeconds',
  'watch',
];
const remove = ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'];

/** Every operation on objects of the kind. */
export function operationsOf(kind: KindDefinition): Operation[] {
  const namespace = kind.namespaced ? '{namespace}' : undefined;
  const at = (place: { namespace?: string | undefined; name?: string; subresource?: string }) =>
    decodeURIComponent(pathOf(kind, place));
  const object = kind.schema.name!;
  const scope = kind.namespaced ? 'Namespaced' : '';
  const collection = at({ namespace });
  const single = at({ namespace, name: '{name}' });
  const all: Operation[] = [
    operation(kind, collection, 'get', 'list', `list${scope}`, select, undefined, `${object}List`),
    operation(kind, collection, 'post', 'post', `create${scope}`, write, object, object),
    operation(
      kind,
      collection,
      'delete',
      'deletecollection',
      `deleteCollection${scope}`,
      [...select, ...remove],
      `${meta}.DeleteOptions`,
      `${meta}.Status`,
    ),
    ...instance(kind, single, `${scope}`, object),
    operation(
      kind,
      single,
      'delete',
      'delete',
      `delete${scope}`,
      remove,
      `${meta}.DeleteOptions`,
      `${meta}.Status`,
    ),
  ];
  if (kind.namespaced) {
    all.push(
      operation(kind, at({}), 'get', 'list', 'listForAllNamespaces', select, undefined, `${object}List`),
    );
  }
  if (kind.subresources.status) all.push(...instance(kind, `${single}/status`, scope, object, 'Status'));
  if (kind.subresources.scale) {
    const scale = instance(kind, `${single}/scale`, scope, 'io.k8s.api.autoscaling.v1.Scale', 'Scale');
    const about = { group: 'autoscaling', kind: 'Scale', version: 'v1' };
    all.push(...scale.map((each) => ({ ...each, about })));
  }
  return all.filter(({ action, path }) => {
    const verb = verbOf[action] ?? action;
    return path.startsWith(`${single}/`) || kind.verbs.includes(verb);
  });
}

const verbOf: Record<string, string> = { post: 'create', put: 'update' };

function instance(
  kind: KindDefinition,
  path: string,
  scope: string,
  component: string,
  part = '',
): Operation[] {
  return [
    operation(kind, path, 'get', 'get', `read${scope}`, [], undefined, component, part),
    operation(kind, path, 'put', 'put', `replace${scope}`, write, component, component, part),
    operation(
      kind,
      path,
      'patch',
      'patch',
      `patch${scope}`,
      [...write, 'force'],
      `${meta}.Patch`,
      component,
      part,
    ),
  ];
}

function operation(
  kind: KindDefinition,
  path: string,
  method: Operation['method'],
  action: string,
  verb: string,
  query: readonly string[],
  body: string | undefined,
  answer: string,
  part = '',
): Operation {
  const { group, version } = kind;
  const groupName = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '').replace(/[^A-Za-z0-9]/g, '_');
  const camel = capitalized(groupName) + capitalized(version);
  const [first, rest] = /^(list|create|deleteCollection|delete|read|replace|patch)(.*)$/
    .exec(verb)!
    .slice(1) as [string, string];
  const id =
    rest === 'ForAllNamespaces'
      ? `${first}${camel}${kind.kind}${rest}`
      : `${first}${camel}${rest}${kind.kind}${part}`;
  return {
    path,
    method,
    id,
    tag: `${groupName}_${version}`,
    description: `${action} ${part === '' ? '' : `${part.toLowerCase()} of `}${kind.kind}`,
    action,
    about: { group, kind: kind.kind, version },
    query,
    body,
    answer,
    consumes: method === 'patch' ? patchTypesOf(kind) : ['*/*'],
  };
}

/** kubectl sees by it which kinds take a strategic merge patch. */
function patchTypesOf(kind: KindDefinition): string[] {
  return kind.custom ? patchTypes.filter((type) => type !== strategicType) : patchTypes;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
