import type { CustomResourceDefinition } from '../../kinds/customResourceDefinition.ts';

/** Groups of Kubernetes' own community need it. */
export const approvalAnnotation = 'api-approved.kubernetes.io';

export interface Approval {
  state: 'missing' | 'invalid' | 'approved' | 'bypassed';
  message: string;
}

export function isProtectedGroup(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group);
}

/** What the annotation of a definition says: a URL, or `unapproved…`. */
export function readApproval({ metadata }: CustomResourceDefinition): Approval {
  const value = metadata?.annotations?.[approvalAnnotation];
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (!value) {
    const message = `protected groups must have approval annotation ${JSON.stringify(approvalAnnotation)}, ${see}`;
    return { state: 'missing', message };
  }
  if (value.startsWith('unapproved'))
    return { state: 'bypassed', message: `not approved: ${JSON.stringify(value)}` };
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/]+/i.test(value))
    return { state: 'approved', message: `approved in ${value}` };
  const wanted = 'with either a URL or a reason starting with "unapproved"';
  const message = `protected groups must have approval annotation ${JSON.stringify(approvalAnnotation)} ${wanted}, ${see}`;
  return { state: 'invalid', message };
}
