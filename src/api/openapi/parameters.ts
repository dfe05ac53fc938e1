interface Parameter {
  type: 'string' | 'boolean' | 'integer';
  description: string;
}

/** What the query parameters of the API mean. */
export const queryParameters: Record<string, Parameter> = {
  pretty: { type: 'string', description: 'Indent the answer.' },
  allowWatchBookmarks: { type: 'boolean', description: 'Send bookmarks in a watch.' },
  continue: { type: 'string', description: 'The next page of a list.' },
  dryRun: { type: 'string', description: 'All: check, but change nothing.' },
  fieldManager: { type: 'string', description: 'Who writes.' },
  fieldSelector: { type: 'string', description: 'Only objects with these fields.' },
  fieldValidation: { type: 'string', description: 'What to do with unknown fields: Ignore, Warn or Strict.' },
  force: { type: 'boolean', description: 'Take fields over from other managers (server-side apply).' },
  gracePeriodSeconds: { type: 'integer', description: 'How long the object has to end.' },
  labelSelector: { type: 'string', description: 'Only objects with these labels.' },
  limit: { type: 'integer', description: 'The most objects in one answer.' },
  orphanDependents: { type: 'boolean', description: 'The former form of propagationPolicy.' },
  propagationPolicy: { type: 'string', description: 'What becomes of what the object owns.' },
  resourceVersion: { type: 'string', description: 'Which version to show, or to watch from.' },
  resourceVersionMatch: { type: 'string', description: 'How resourceVersion is meant.' },
  timeoutSeconds: { type: 'integer', description: 'When to end the call.' },
  watch: { type: 'boolean', description: 'Send changes as they happen.' },
};

/** The parameters in a path such as `/api/v1/namespaces/{namespace}/pods/{name}`. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
}
