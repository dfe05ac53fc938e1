import { follows } from '../checks.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelectorText } from '../label-selector.ts';
import { portName } from '../names.ts';
import { checkRange, isStrictSubset, readRange } from '../network-address.ts';
import { labelSelector } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  type Check,
  integer,
  intOrString,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const name = <N extends string>(type: N) => `io.k8s.api.networking.v1.${type}` as const;

export const ipBlock = object(
  name('IPBlock'),
  {
    cidr: required(string({ doc: 'The range of addresses, e.g. 10.9.8.0/24.', check: checkRange })),
    except: list(string({ check: checkRange }), { doc: 'Ranges inside it that are not meant.' }),
  },
  {
    check({ cidr, except = [] }, at, report) {
      const outer = cidr ? readRange(cidr) : undefined;
      for (const [index, text] of except.entries()) {
        const inner = readRange(text);
        if (!inner || !outer || isStrictSubset(inner, outer)) continue;
        report.invalid(at.child('except').index(index), text, 'must be a strict subset of `cidr`');
      }
    },
  },
);

export const networkPolicyPeer = object(
  name('NetworkPolicyPeer'),
  {
    ipBlock: refine(ipBlock, { doc: 'Addresses; nothing else stands beside it.' }),
    namespaceSelector: refine(labelSelector, {
      doc: 'All pods of these namespaces, or those that podSelector picks.',
    }),
    podSelector: refine(labelSelector, {
      doc: 'Pods of the same namespace, or of those that namespaceSelector picks.',
    }),
  },
  {
    check({ ipBlock: block, namespaceSelector, podSelector }, at, report) {
      if (!block && !namespaceSelector && !podSelector) report.required(at, 'must specify a peer');
      if (block && (namespaceSelector || podSelector)) {
        report.forbidden(at, 'may not specify both ipBlock and another peer');
      }
    },
  },
);

export const networkPolicyPort = object(
  name('NetworkPolicyPort'),
  {
    endPort: integer({ doc: 'The last port of a range that begins with `port`.' }),
    port: intOrString({ doc: 'The port by number or by name; every one if absent.' }),
    protocol: oneOf(['SCTP', 'TCP', 'UDP'], { doc: 'TCP, UDP or SCTP.', default: 'TCP' }),
  },
  { check: checkPort },
);

export const networkPolicyIngressRule = object(name('NetworkPolicyIngressRule'), {
  from: list(networkPolicyPeer, { doc: 'Who may come; everybody if empty.' }),
  ports: list(networkPolicyPort, { doc: 'To which ports; all if empty.' }),
});

export const networkPolicyEgressRule = object(name('NetworkPolicyEgressRule'), {
  ports: list(networkPolicyPort, { doc: 'To which ports; all if empty.' }),
  to: list(networkPolicyPeer, { doc: 'Whom they may call; everybody if empty.' }),
});

export const networkPolicySpec = object(
  name('NetworkPolicySpec'),
  {
    egress: list(networkPolicyEgressRule, { doc: 'What the pods may call.' }),
    ingress: list(networkPolicyIngressRule, { doc: 'What may call the pods.' }),
    podSelector: required(refine(labelSelector, { doc: 'The pods it is about; all if empty.', default: {} })),
    policyTypes: list(string(), { doc: 'Ingress, Egress or both: what it restricts.', check: checkTypes }),
  },
  {
    complete(spec) {
      if (spec.policyTypes?.length) return;
      spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
    },
  },
);

const schema = kindSchema(
  name('NetworkPolicy'),
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
  { spec: refine(networkPolicySpec, { default: {} }) },
  'NetworkPolicy says which connections pods take and make.',
);

export interface NetworkPolicy extends ObjectOf<typeof schema> {}

export const networkPolicy = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  namespaced: true,
  countsGenerations: true,
  schema,
  columns: [
    nameColumn,
    {
      name: 'Pod-Selector',
      doc: 'The pods it is about.',
      value: ({ spec }) => labelSelectorText(spec?.podSelector) || '<none>',
    },
    ageColumn,
  ],
});

function checkPort(
  { port, endPort }: { port?: number | string; endPort?: number },
  at: Path,
  report: Report,
): void {
  if (typeof port === 'string') {
    follows(portName)(port, at.child('port'), report);
    if (endPort !== undefined) {
      report.invalid(at.child('endPort'), endPort, 'may not be specified when `port` is non-numeric');
    }
    return;
  }
  if (port === undefined) {
    if (endPort !== undefined) {
      report.invalid(at.child('endPort'), endPort, 'may not be specified when `port` is not specified');
    }
    return;
  }
  checkNumber(port, at.child('port'), report);
  if (endPort === undefined) return;
  if (endPort < port) report.invalid(at.child('endPort'), port, 'must be greater than or equal to `port`');
  checkNumber(endPort, at.child('endPort'), report);
}

function checkNumber(port: number, at: Path, report: Report): void {
  if (port < 1 || port > 65535) report.invalid(at, port, 'must be between 1 and 65535, inclusive');
}

const policyTypes = ['Ingress', 'Egress'];

function checkTypes(...[types, at, report]: Parameters<Check<string[]>>): void {
  if (types.length > policyTypes.length) {
    report.invalid(at, types, 'may not specify more than two policyTypes');
    return;
  }
  for (const [index, type] of types.entries()) {
    if (!policyTypes.includes(type)) report.unsupported(at.index(index), type, policyTypes, true);
  }
}
