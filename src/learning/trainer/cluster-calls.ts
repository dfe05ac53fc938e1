import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import { StatusError } from '../../base/errors.ts';
import type { Fetch, RegistryEndpoint } from '../../oci/registry-client.ts';
import type { StatusPatch } from './status-reporter.ts';

/** Where pods find the API server, and its registry. */
const server = 'https://kubernetes.default.svc';
export const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const timeoutMs = 30_000;
const answerCharactersMax = 500;

export interface ClusterCalls {
  patchStatus(status: StatusPatch): Promise<void>;
  inferenceService(name: string): Promise<InferenceService>;
  registry: RegistryEndpoint;
}

/** What a trainer may do in its cluster, with the token of its pod, which is read anew for each call. */
export function clusterCalls(job: { namespace: string; name: string }, tokenFolder: string): ClusterCalls {
  const authorized = async (headers: Record<string, string> = {}) => ({
    ...headers,
    authorization: `Bearer ${(await readFile(join(tokenFolder, 'token'), 'utf8')).trim()}`,
  });

  async function call(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(server + path, {
      method,
      headers: await authorized({ 'content-type': 'application/merge-patch+json' }),
      signal: AbortSignal.timeout(timeoutMs),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((cause: Error) => {
      throw new StatusError('ServiceUnavailable', cause.message, { cause });
    });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    const reason =
      { 403: 'Forbidden' as const, 404: 'NotFound' as const }[answer.status] ?? 'ServiceUnavailable';
    throw new StatusError(reason, messageIn(text) ?? `${answer.status} ${answer.statusText}`);
  }

  const registryFetch: Fetch = async (url, init) => {
    // The mesh's answers have all that a registry client asks of one.
    return (await fetch(url, { ...init, headers: await authorized(init.headers) })) as never;
  };
  const own = `/apis/learning.selvage.dev/v1alpha1/namespaces/${job.namespace}/trainingjobs/${job.name}`;
  return {
    async patchStatus(status) {
      await call('PATCH', `${own}/status`, { status });
    },
    async inferenceService(name) {
      const path = `/apis/serving.kserve.io/v1beta1/namespaces/${job.namespace}/inferenceservices/${name}`;
      return (await call('GET', path)) as InferenceService;
    },
    registry: { url: server, fetch: registryFetch },
  };
}

function messageIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { message?: string }).message;
  } catch {
    return text.slice(0, answerCharactersMax) || undefined;
  }
}
