import { isEqualSemantically } from '../equal.ts';
import { mandatoryFlowSchemas } from '../flow-control-bootstrap.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label, dns1123Subdomain } from '../names.ts';
import { flowControlCondition } from '../parts/flowControlCondition.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  integer,
  keyedList,
  list,
  object,
  refine,
  required,
  setList,
  string,
  type Traits,
  type TypeOf,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const precedenceMax = 10_000;
const defaultPrecedence = 1000;
const knownVerbs = [
  'get',
  'list',
  'create',
  'update',
  'delete',
  'deletecollection',
  'patch',
  'watch',
  'proxy',
];

const userSubject = object('io.k8s.api.flowcontrol.v1.UserSubject', {
  name: required(string({ doc: 'The user; "*" means everybody.' })),
});
const groupSubject = object('io.k8s.api.flowcontrol.v1.GroupSubject', {
  name: required(string({ doc: 'The group; "*" means all.' })),
});
const serviceAccountSubject = object('io.k8s.api.flowcontrol.v1.ServiceAccountSubject', {
  name: required(string({ doc: 'The service account; "*" means all of the namespace.' })),
  namespace: required(string({ doc: 'Where it is.', absent: 'must specify namespace for service account' })),
});

/** Sets that a strategic merge patch replaces all the same. */
const texts = (traits: Traits<string[]>) => setList(string(), { mergeKey: undefined, ...traits });

/** Which field says more of a subject of each kind. */
const fieldOfKind = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

export const flowSubject = object(
  'io.k8s.api.flowcontrol.v1.Subject',
  {
    kind: required(string({ doc: 'User, Group or ServiceAccount.', mayBeEmpty: true })),
    group: refine(groupSubject, { doc: 'The group, where that is the kind.' }),
    serviceAccount: refine(serviceAccountSubject, { doc: 'The account, where that is the kind.' }),
    user: refine(userSubject, { doc: 'The user, where that is the kind.' }),
  },
  {
    check(subject, at, report) {
      const wanted = fieldOfKind[subject.kind as keyof typeof fieldOfKind];
      if (!wanted) return report.unsupported(at.child('kind'), subject.kind, Object.keys(fieldOfKind));
      for (const [kind, field] of Object.entries(fieldOfKind)) {
        const is = subject[field] !== undefined;
        if (field === wanted && !is) {
          report.required(at.child(field), `${field} is required when subject kind is '${kind}'`);
        } else if (field !== wanted && is) {
          report.forbidden(at.child(field), `${field} is forbidden when subject kind is not '${kind}'`);
        }
      }
      const account = subject.kind === 'ServiceAccount' ? subject.serviceAccount : undefined;
      if (!account) return;
      const rules = (field: 'name' | 'namespace', text: string, rule: (text: string) => string[]) => {
        for (const why of rule(text)) report.invalid(at.child('serviceAccount').child(field), text, why);
      };
      if (account.name && account.name !== '*') rules('name', account.name, dns1123Subdomain);
      if (account.namespace) rules('namespace', account.namespace, dns1123Label);
    },
  },
);
export type FlowSubject = TypeOf<typeof flowSubject>;

export const resourcePolicyRule = object(
  'io.k8s.api.flowcontrol.v1.ResourcePolicyRule',
  {
    apiGroups: required(
      texts({
        doc: 'The API groups; "*" means all.',
        absent: 'resource rules must supply at least one api group',
      }),
    ),
    clusterScope: boolean({ doc: 'Whether requests that name no namespace are meant too.' }),
    namespaces: texts({ doc: 'The namespaces; "*" means any.' }),
    resources: required(
      texts({
        doc: 'The resources, with their subresource where one is meant; "*" means all.',
        absent: 'resource rules must supply at least one resource',
      }),
    ),
    verbs: required(
      texts({
        doc: 'The verbs; "*" means all.',
        absent: 'verbs must contain at least one value',
      }),
    ),
  },
  {
    check(rule, at, report) {
      checkVerbs(rule.verbs ?? [], at.child('verbs'), report);
      checkAlone(rule.apiGroups ?? [], at.child('apiGroups'), report, 'api groups');
      checkAlone(rule.resources ?? [], at.child('resources'), report, 'resources');
      const { namespaces = [], clusterScope } = rule;
      if (namespaces.length === 0 && !clusterScope) {
        const why = 'resource rules that are not cluster scoped must supply at least one namespace';
        report.required(at.child('namespaces'), why);
      } else if (namespaces.includes('*')) {
        checkAlone(namespaces, at.child('namespaces'), report, 'namespaces');
      } else {
        for (const [index, name] of namespaces.entries()) {
          for (const why of dns1123Label(name)) {
            const intro = "each member of this list must be '*' or a DNS-1123 label; ";
            report.invalid(at.child('namespaces').index(index), name, intro + why);
          }
        }
      }
    },
  },
);

export const nonResourcePolicyRule = object(
  'io.k8s.api.flowcontrol.v1.NonResourcePolicyRule',
  {
    nonResourceURLs: required(
      texts({
        doc: 'The paths; "*" means all, and stands at the end of one for all below it.',
        absent: 'nonResourceURLs must contain at least one value',
      }),
    ),
    verbs: required(
      texts({
        doc: 'The verbs; "*" means all.',
        absent: 'verbs must contain at least one value',
      }),
    ),
  },
  {
    check(rule, at, report) {
      checkVerbs(rule.verbs ?? [], at.child('verbs'), report);
      const paths = rule.nonResourceURLs ?? [];
      if (paths.includes('*')) checkAlone(paths, at.child('nonResourceURLs'), report, 'non-resource URLs');
      else
        for (const [index, path] of paths.entries())
          checkPath(path, at.child('nonResourceURLs').index(index), report);
    },
  },
);

export const policyRulesWithSubjects = object(
  'io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects',
  {
    nonResourceRules: list(nonResourcePolicyRule, { doc: 'Requests for paths.' }),
    resourceRules: list(resourcePolicyRule, { doc: 'Requests for resources.' }),
    subjects: required(
      list(flowSubject, {
        doc: 'Who sends the requests.',
        absent: 'subjects must contain at least one value',
      }),
    ),
  },
  {
    check({ resourceRules = [], nonResourceRules = [] }, at, report) {
      if (resourceRules.length > 0 || nonResourceRules.length > 0) return;
      report.required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty');
    },
  },
);

export const flowSchemaSpec = object(
  'io.k8s.api.flowcontrol.v1.FlowSchemaSpec',
  {
    distinguisherMethod: object(
      'io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod',
      { type: required(string({ doc: 'ByUser or ByNamespace.', mayBeEmpty: true })) },
      {
        doc: 'What makes flows of the requests; without it all are one.',
        check: (method, at, report) => {
          const known = ['ByNamespace', 'ByUser'];
          if (!known.includes(method.type)) report.unsupported(at.child('type'), method, known);
        },
      },
    ),
    matchingPrecedence: integer({
      doc: 'Of the schemas that match a request, the one with the lowest number counts.',
      default: defaultPrecedence,
    }),
    priorityLevelConfiguration: required(
      object(
        'io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference',
        {
          name: required(
            string({
              doc: 'The priority level of the requests that match.',
              absent: 'must reference a priority level',
              check: (name, at, report) => {
                for (const why of dns1123Subdomain(name)) report.invalid(at, name, why);
              },
            }),
          ),
        },
        { doc: 'The priority level of the requests that match.' },
      ),
    ),
    rules: list(policyRulesWithSubjects, {
      doc: 'A request matches if one of them does; without any, none does.',
    }),
  },
  {
    complete(spec) {
      // Go knows no number that is absent.
      if (spec.matchingPrecedence === 0) spec.matchingPrecedence = defaultPrecedence;
    },
  },
);
export type FlowSchemaSpec = TypeOf<typeof flowSchemaSpec>;

export const flowSchemaStatus = object('io.k8s.api.flowcontrol.v1.FlowSchemaStatus', {
  conditions: keyedList(['type'], flowControlCondition('FlowSchemaCondition'), {
    doc: 'Dangling: whether its priority level is missing.',
    mergeKey: 'type',
  }),
});

const schema = kindSchema(
  'io.k8s.api.flowcontrol.v1.FlowSchema',
  { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'FlowSchema' },
  { spec: flowSchemaSpec, status: flowSchemaStatus },
  'FlowSchema says which requests are of which priority, and which of them belong together.',
);

export interface FlowSchema extends ObjectOf<typeof schema> {}

export const flowSchema = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  namespaced: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    {
      name: 'PriorityLevel',
      doc: 'The priority level of its requests.',
      value: ({ spec }) => spec?.priorityLevelConfiguration?.name ?? '',
    },
    {
      name: 'MatchingPrecedence',
      doc: 'The lower, the earlier it is asked.',
      value: ({ spec }) => spec?.matchingPrecedence ?? 0,
    },
    {
      name: 'DistinguisherMethod',
      doc: 'What makes flows of its requests.',
      value: ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>',
    },
    ageColumn,
    {
      name: 'MissingPL',
      doc: 'Whether its priority level is missing.',
      value: ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
    },
  ],
  check: checkSchema,
});

function checkSchema({ metadata, spec }: FlowSchema, report: Report, root: Path): void {
  const name = metadata?.name ?? '';
  const at = root.child('spec');
  const precedence = spec?.matchingPrecedence ?? 0;
  const wrong = (why: string) => report.invalid(at.child('matchingPrecedence'), precedence, why);
  if (precedence <= 0) wrong('must be a positive value');
  if (precedence > precedenceMax) wrong(`must not be greater than ${precedenceMax}`);
  if (precedence === 1 && name !== 'exempt') {
    wrong("only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const mandatory = mandatoryFlowSchemas.find((each) => each.metadata.name === name);
  if (mandatory && !isEqualSemantically(mandatory.spec, spec)) {
    report.invalid(at, spec, `spec of '${name}' must equal the fixed value`);
  }
}

function checkVerbs(verbs: readonly string[], at: Path, report: Report): void {
  if (verbs.includes('*')) checkAlone(verbs, at, report, 'verbs');
  else if (verbs.some((verb) => !knownVerbs.includes(verb))) report.unsupported(at, verbs, knownVerbs);
}

function checkAlone(all: readonly string[], at: Path, report: Report, what: string): void {
  if (all.length > 1 && all.includes('*')) {
    report.invalid(at, all, `if '*' is present, must not specify other ${what}`);
  }
}

function checkPath(path: string, at: Path, report: Report): void {
  if (path === '/') return;
  const stars = path.split('*').length - 1;
  if (path === '') report.invalid(at, path, 'must not be empty');
  else if (!path.startsWith('/')) report.invalid(at, path, 'must start with slash');
  else if (path.includes(' ')) report.invalid(at, path, 'must not contain white-space');
  else if (path.includes('//')) report.invalid(at, path, 'must not contain double slash');
  else if (stars > 1 || (stars === 1 && !path.endsWith('/*'))) {
    report.invalid(at, path, 'wildcard can only do suffix matching');
  }
}
