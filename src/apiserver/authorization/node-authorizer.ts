import type { Pod } from '../../api/kinds/pod.ts';
import type { Service } from '../../api/kinds/service.ts';
import { volumeNodeLabel } from '../../api/local-path.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Store } from '../../store/store.ts';
import { isRecord } from '../options.ts';
import { keyOf, prefixOf } from '../stored.ts';
import type { AskedResource, Attributes, Authorizer, Decision } from './authorize.ts';
import { referencesOf } from './pod-references.ts';

const userPrefix = 'system:node:';
const nodesGroup = 'system:nodes';
const loadBalancerNode = 'selvage.dev/load-balancer-node';
const yes: Decision = { allowed: true };
const no = (reason: string): Decision => ({ allowed: false, reason });

/** The node that a user is, if it is one. */
export function nodeNameOf(user: { name: string; groups: readonly string[] }): string | undefined {
  const isNode = user.groups.includes(nodesGroup) && user.name.startsWith(userPrefix);
  return isNode ? user.name.slice(userPrefix.length) : undefined;
}

/**
 * Lets a node see and change only what it needs for the pods bound to it.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/node/ and the NodeRestriction admission plugin.
 */
export function createNodeAuthorizer(store: Store): Authorizer {
  return (attributes) => {
    const node = nodeNameOf(attributes.user);
    if (node === undefined || !attributes.resource) return undefined;
    const { resource } = attributes;
    const rule = rules[resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`];
    return rule?.({ node, store, attributes, resource, subresource: resource.subresource ?? '' });
  };
}

interface Question {
  node: string;
  store: Store;
  attributes: Attributes;
  resource: AskedResource;
  subresource: string;
}

type Rule = (question: Question) => Decision | undefined;

const reads = ['get', 'list', 'watch'];
const changes = ['update', 'patch'];

const rules: Record<string, Rule> = {
  nodes: ({ node, attributes, resource: { verb, name }, subresource }) => {
    if (reads.includes(verb) && subresource === '') return yes;
    const isWrite = verb === 'create' ? subresource === '' : changes.includes(verb);
    if (!isWrite || !['', 'status'].includes(subresource)) return undefined;
    const written = verb === 'create' ? nameInBody(attributes) : name;
    return written === node
      ? yes
      : no(`node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(written)}`);
  },
  pods: podRule,
  services: ({ node, store, attributes, resource: { verb, namespace, name }, subresource }) => {
    if (reads.includes(verb) && subresource === '') return yes;
    if (!changes.includes(verb) || !['', 'status'].includes(subresource)) return undefined;
    const service = read<Service>(store, 'services', namespace, name);
    if (service?.metadata?.annotations?.[loadBalancerNode] !== node) {
      return no(`node ${JSON.stringify(node)} does not serve this service's load balancer`);
    }
    return subresource === 'status' || (verb === 'patch' && changesAnnotationsOnly(attributes.body))
      ? yes
      : no('may only change its status, and its annotations by a merge patch');
  },
  'endpointslices.discovery.k8s.io': readOnly,
  secrets: (question) => referenced(question, 'secrets'),
  configmaps: (question) => referenced(question, 'configMaps'),
  serviceaccounts: (question) =>
    question.subresource === 'token' ? tokenRule(question) : referenced(question, 'serviceAccounts'),
  persistentvolumeclaims: (question) =>
    question.resource.verb === 'get' ? referenced(question, 'claims') : undefined,
  persistentvolumes: volumeRule,
  events: writesEvents,
  'events.events.k8s.io': writesEvents,
  'leases.coordination.k8s.io': ({ node, attributes, resource: { verb, namespace, name }, subresource }) => {
    if (subresource !== '') return undefined;
    if (namespace !== 'kube-node-lease')
      return no('can only access leases in the "kube-node-lease" system namespace');
    if (!['get', 'create', ...changes].includes(verb)) return undefined;
    const written = verb === 'create' ? nameInBody(attributes) : name;
    return written === node
      ? yes
      : no('can only access node lease with the same name as the requesting node');
  },
  'certificatesigningrequests.certificates.k8s.io': ({ resource: { verb }, subresource }) =>
    subresource === '' && ['create', ...reads].includes(verb) ? yes : undefined,
};

function writesEvents({ resource: { verb }, subresource }: Question): Decision | undefined {
  return ['create', ...changes].includes(verb) && subresource === '' ? yes : undefined;
}

function readOnly({ resource: { verb }, subresource }: Question): Decision | undefined {
  return reads.includes(verb) && subresource === '' ? yes : undefined;
}

function podRule({ node, store, attributes, resource, subresource }: Question): Decision | undefined {
  const { verb, namespace, name } = resource;
  if (verb === 'list' || verb === 'watch') {
    const isOwn = attributes.fieldSelector
      .split(',')
      .some((term) => /^spec\.nodeName==?/.test(term) && term.endsWith(`=${node}`));
    return isOwn ? yes : no('can only list/watch pods with spec.nodeName field selector');
  }
  const isAsked =
    (verb === 'get' && subresource === '') ||
    (verb === 'delete' && subresource === '') ||
    (changes.includes(verb) && subresource === 'status');
  if (!isAsked) return undefined;
  const pod = read<Pod>(store, 'pods', namespace, name);
  if (!pod || pod.spec?.nodeName === node) return yes;
  return no(`no relationship found between node '${node}' and this object`);
}

function referenced(
  question: Question,
  what: 'secrets' | 'configMaps' | 'serviceAccounts' | 'claims',
): Decision | undefined {
  const { node, store, resource } = question;
  const { verb, namespace, attributesName } = { ...resource, attributesName: nameAsked(question) };
  if (!reads.includes(verb) || resource.subresource) return undefined;
  if (attributesName === undefined || namespace === undefined) {
    return no('can only read one object, by name, in its namespace');
  }
  for (const { value } of store.list(prefixOf({ group: '', plural: 'pods' }, namespace)).items) {
    const pod = value as Pod;
    if (pod.spec?.nodeName === node && referencesOf(pod)[what].has(attributesName)) return yes;
  }
  return no(`no relationship found between node '${node}' and this object`);
}

/** Where volumes lie is no secret; a node lets go of those whose folders were its own. */
function volumeRule({ node, store, attributes, resource, subresource }: Question): Decision | undefined {
  const { verb, name = '' } = resource;
  if (subresource !== '') return undefined;
  if (reads.includes(verb)) return yes;
  if (verb !== 'patch') return undefined;
  const key = keyOf({ group: '', plural: 'persistentvolumes', namespaced: false }, undefined, name);
  const volume = store.get(key)?.value as KubeObject | undefined;
  if (volume?.metadata?.labels?.[volumeNodeLabel] !== node) {
    return no(`node ${JSON.stringify(node)} does not keep this volume`);
  }
  return changesFinalizersOnly(attributes.body)
    ? yes
    : no('may only change its finalizers, by a merge patch');
}

function changesFinalizersOnly(body: unknown): boolean {
  if (!isRecord(body) || !isRecord(body.metadata)) return false;
  const known = ['uid', 'resourceVersion', 'finalizers'];
  return Object.keys(body).length === 1 && Object.keys(body.metadata).every((field) => known.includes(field));
}

/** A node asks for tokens of its own pods, and each is bound to the pod: it ends with it. */
function tokenRule({ node, store, attributes: { body }, resource }: Question): Decision | undefined {
  if (resource.verb !== 'create') return undefined;
  const spec = isRecord(body) && isRecord(body.spec) ? body.spec : {};
  const bound = isRecord(spec.boundObjectRef) ? spec.boundObjectRef : {};
  if (bound.kind !== 'Pod' || bound.apiVersion !== 'v1' || typeof bound.name !== 'string') {
    return no('node requested token not bound to a pod');
  }
  if (typeof bound.uid !== 'string' || bound.uid === '') {
    return no('node requested token with a pod binding without a uid');
  }
  const pod = read<Pod>(store, 'pods', resource.namespace, bound.name);
  if (!pod || pod.metadata?.uid !== bound.uid)
    return no(`node requested token bound to a pod that is not there`);
  if (pod.spec?.nodeName !== node)
    return no('node requested token bound to a pod scheduled on a different node');
  const isItsOwn = (pod.spec.serviceAccountName || 'default') === resource.name;
  return isItsOwn ? yes : no(`no relationship found between node '${node}' and this object`);
}

/** Whether a merge patch touches nothing but annotations, and not who serves the load balancer. */
function changesAnnotationsOnly(body: unknown): boolean {
  if (!isRecord(body) || !isRecord(body.metadata) || !isRecord(body.metadata.annotations)) return false;
  const isOnly = Object.keys(body).length === 1 && Object.keys(body.metadata).length === 1;
  return isOnly && !(loadBalancerNode in body.metadata.annotations);
}

/** A create has no name in its path. */
function nameInBody({ body }: Attributes): string | undefined {
  return (body as KubeObject | null | undefined)?.metadata?.name;
}

/** A list or watch of one object names it in its field selector. */
function nameAsked({ resource, attributes }: Question): string | undefined {
  if (resource.name !== undefined) return resource.name;
  return /^metadata\.name==?([^,!=]+)$/.exec(attributes.fieldSelector)?.[1];
}

function read<T extends KubeObject>(
  store: Store,
  plural: string,
  namespace: string | undefined,
  name: string | undefined,
): T | undefined {
  if (name === undefined) return undefined;
  return store.get(keyOf({ group: '', plural, namespaced: true }, namespace, name))?.value as T | undefined;
}
