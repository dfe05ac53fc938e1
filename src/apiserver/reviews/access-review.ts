import { invalid } from '../../api/invalid.ts';
import type { KubeObject } from '../../api/object.ts';
import { Path } from '../../api/path.ts';
import { Report } from '../../api/report.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import { badRequest } from '../failures.ts';
import { isRecord } from '../options.ts';
import type { User } from '../user.ts';

const group = 'authorization.k8s.io';

type Fields = Record<string, unknown>;
type Authorize = (attributes: Attributes) => Decision;

/** Answers SelfSubjectAccessReview: may I? */
export function reviewOwnAccess(
  body: Fields,
  user: User,
  authorize: Authorize,
): Partial<KubeObject> & Fields {
  const spec = isRecord(body.spec) ? body.spec : {};
  check('SelfSubjectAccessReview', spec, new Report());
  return { spec, status: statusOf(authorize(attributesOf(user, spec))) };
}

/** Answers SubjectAccessReview and, with a namespace, LocalSubjectAccessReview: may they? */
export function reviewAccess(
  kind: 'SubjectAccessReview' | 'LocalSubjectAccessReview',
  body: Fields,
  namespace: string | undefined,
  authorize: Authorize,
): Partial<KubeObject> & Fields {
  const spec = isRecord(body.spec) ? body.spec : {};
  const report = new Report();
  const at = new Path('spec');
  if (namespace !== undefined) checkLocal(body, spec, namespace, report);
  if (!spec.user && textsOf(spec.groups).length === 0) {
    report.invalid(at.child('user'), spec.user ?? '', 'at least one of user or group must be specified');
  }
  check(kind, spec, report);
  return { spec, status: statusOf(authorize(attributesOf(userOf(spec), spec))) };
}

function checkLocal(body: Fields, spec: Fields, namespace: string, report: Report): void {
  const metadata = isRecord(body.metadata) ? body.metadata : {};
  const asked = isRecord(spec.resourceAttributes) ? spec.resourceAttributes.namespace : undefined;
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const at = new Path('spec');
  if (isRecord(spec.resourceAttributes) && asked !== namespace) {
    report.invalid(
      at.child('resourceAttributes').child('namespace'),
      asked ?? '',
      'must match metadata.namespace',
    );
  }
  if (isRecord(spec.nonResourceAttributes)) {
    const detail = 'disallowed on this kind of request';
    report.invalid(at.child('nonResourceAttributes'), spec.nonResourceAttributes, detail);
  }
}

function check(kind: string, spec: Fields, report: Report): void {
  const at = new Path('spec');
  const [isResource, isPath] = [isRecord(spec.resourceAttributes), isRecord(spec.nonResourceAttributes)];
  if (isResource && isPath) {
    const detail = 'cannot be specified in combination with resourceAttributes';
    report.invalid(at.child('nonResourceAttributes'), spec.nonResourceAttributes, detail);
  }
  if (!isResource && !isPath) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    report.invalid(at.child('resourceAttributes'), undefined, detail);
  }
  if (report.causes.length > 0) throw invalid({ group, kind }, '', report.causes);
}

function statusOf({ allowed, reason }: Decision): object {
  return { allowed, ...(reason && { reason }) };
}

function userOf(spec: Fields): User {
  const extra = isRecord(spec.extra) ? spec.extra : {};
  return {
    name: String(spec.user ?? ''),
    groups: textsOf(spec.groups),
    ...(spec.uid ? { uid: String(spec.uid) } : {}),
    extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, textsOf(values)])),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function attributesOf(user: User, { resourceAttributes, nonResourceAttributes }: Fields): Attributes {
  const reader = (from: Fields) => (field: string) => String(from[field] ?? '');
  if (!isRecord(resourceAttributes)) {
    const read = reader(isRecord(nonResourceAttributes) ? nonResourceAttributes : {});
    return { user, fieldSelector: '', path: read('path'), verb: read('verb') };
  }
  const read = reader(resourceAttributes);
  const resource = {
    verb: read('verb'),
    group: read('group'),
    version: read('version'),
    namespace: read('namespace') || undefined,
    resource: read('resource'),
    name: read('name') || undefined,
    subresource: read('subresource') || undefined,
  };
  return { user, fieldSelector: '', resource };
}
