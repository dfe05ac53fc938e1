import { dirname, resolve } from 'node:path';
import { messageOf, StatusError } from '../base/errors.ts';
import { readIfExists, writePrivateFile } from './key-file.ts';

/** What a client needs in order to talk to a cluster: from a kubeconfig's current context. */
export interface Connection {
  server: string;
  /** Absent: the system's authorities are trusted. */
  caPem?: string;
  clientCertificatePem?: string;
  clientKeyPem?: string;
  token?: string;
  namespace?: string;
}

interface Named {
  name: string;
}

interface Kubeconfig {
  clusters?: (Named & { cluster?: Record<string, string> })[];
  users?: (Named & { user?: Record<string, string> })[];
  contexts?: (Named & { context?: Record<string, string> })[];
  'current-context'?: string;
}

/**
 * Writes `connection` into the kubeconfig at `path` as cluster, user and context `name`, and makes it current. What
 * else the file holds is kept. Mode 0600, replaced as a whole. Resolves to the server that the name stood for, if that
 * was another cluster (one of another authority).
 */
export async function writeKubeconfig(
  path: string,
  connection: Connection,
  name = 'selvage',
): Promise<string | undefined> {
  const fresh = freshKubeconfig(connection, name);
  const existing = readIfExists(path)?.toString();
  const before = existing === undefined ? undefined : parseFresh(existing);
  if (!existing?.trim() || before?.name === name) {
    writePrivateFile(path, fresh);
    return before && before.connection.caPem !== connection.caPem ? before.connection.server : undefined;
  }
  const { parseDocument, parse } = await import('yaml');
  const document = parseDocument(existing);
  const mine = parse(fresh) as Required<Kubeconfig>;
  if (document.errors.length > 0) throw unreadable(path, document.errors[0]);
  const merged = (document.toJS() ?? {}) as Kubeconfig;
  for (const list of ['clusters', 'users', 'contexts'] as const) {
    const others = (merged[list] ?? []).filter((entry) => entry.name !== name);
    document.set(list, [...others, ...mine[list]]);
  }
  document.set('current-context', name);
  writePrivateFile(path, document.toString({ lineWidth: 0 }));
  const replaced = merged.clusters?.find((entry) => entry.name === name)?.cluster;
  const isSame = replaced?.['certificate-authority-data'] === (connection.caPem && base64(connection.caPem));
  return isSame ? undefined : replaced?.server;
}

/** Reads the current context; NotFound or Invalid say what is missing and what to do. */
export async function readKubeconfig(path: string): Promise<Connection> {
  const text = readIfExists(path)?.toString();
  if (text === undefined) {
    throw new StatusError(
      'NotFound',
      `There is no kubeconfig at ${path}. Start a cluster with "selvage up", or name another file.`,
    );
  }
  return parseFresh(text)?.connection ?? readAny(path, text);
}

/** The lines that `freshKubeconfig` writes, so that reading them back needs no YAML parser (it costs 15 ms). */
const freshPattern = new RegExp(
  [
    '^apiVersion: v1\\nkind: Config\\nclusters:\\n- name: (?<name>"[^"\\\\]+")\\n  cluster:\\n    server: (?<server>"[^"\\\\]+")\\n',
    '(?:    certificate-authority-data: (?<ca>[A-Za-z0-9+/=]+)\\n)?users:\\n- name: "[^"]+"\\n  user:\\n',
    '(?:    client-certificate-data: (?<certificate>[A-Za-z0-9+/=]+)\\n)?(?:    client-key-data: (?<key>[A-Za-z0-9+/=]+)\\n)?',
    '(?:    token: (?<token>"[^"\\\\]+")\\n)?contexts:\\n- name: "[^"]+"\\n  context:\\n    cluster: "[^"]+"\\n    user: "[^"]+"\\n',
    '(?:    namespace: (?<namespace>"[^"\\\\]+")\\n)?current-context: "[^"]+"\\n$',
  ].join(''),
);

function freshKubeconfig(connection: Connection, name: string): string {
  const { server, caPem, clientCertificatePem, clientKeyPem, token, namespace } = connection;
  const quoted = (text: string) => JSON.stringify(text);
  const line = (key: string, value: string | undefined) =>
    value === undefined ? [] : [`    ${key}: ${value}`];
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `- name: ${quoted(name)}`,
    '  cluster:',
    ...line('server', quoted(server)),
    ...line('certificate-authority-data', caPem && base64(caPem)),
    'users:',
    `- name: ${quoted(name)}`,
    '  user:',
    ...line('client-certificate-data', clientCertificatePem && base64(clientCertificatePem)),
    ...line('client-key-data', clientKeyPem && base64(clientKeyPem)),
    ...line('token', token && quoted(token)),
    'contexts:',
    `- name: ${quoted(name)}`,
    '  context:',
    ...line('cluster', quoted(name)),
    ...line('user', quoted(name)),
    ...line('namespace', namespace && quoted(namespace)),
    `current-context: ${quoted(name)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function parseFresh(text: string): { name: string; connection: Connection } | undefined {
  const groups = freshPattern.exec(text)?.groups;
  if (!groups) return undefined;
  const unquote = (value: string | undefined) => value && (JSON.parse(value) as string);
  const connection = {
    server: unquote(groups.server)!,
    caPem: decodeBase64(groups.ca),
    clientCertificatePem: decodeBase64(groups.certificate),
    clientKeyPem: decodeBase64(groups.key),
    token: unquote(groups.token),
    namespace: unquote(groups.namespace),
  };
  return { name: unquote(groups.name)!, connection: withoutUndefined(connection) };
}

async function readAny(path: string, text: string): Promise<Connection> {
  const { parse } = await import('yaml');
  let config: Kubeconfig | null;
  try {
    config = parse(text) as Kubeconfig | null;
  } catch (error) {
    throw unreadable(path, error);
  }
  const current = config?.['current-context'];
  if (!current)
    throw invalid(path, 'it has no current-context; choose one with "kubectl config use-context"');
  const find = <T extends Named>(list: T[] | undefined, kind: string, name: string | undefined): T => {
    const found = Array.isArray(list) ? list.find((entry) => entry.name === name) : undefined;
    if (!found) throw invalid(path, `it has no ${kind} "${name}", which its current context needs`);
    return found;
  };
  const context = find(config?.contexts, 'context', current).context ?? {};
  const cluster = find(config?.clusters, 'cluster', context.cluster).cluster ?? {};
  const user = find(config?.users, 'user', context.user).user ?? {};
  if (!cluster.server) throw invalid(path, `cluster "${context.cluster}" has no server`);
  const pem = (section: Record<string, string>, key: string) =>
    decodeBase64(section[`${key}-data`]) ?? (section[key] ? readReferenced(path, section[key]) : undefined);
  return withoutUndefined({
    server: cluster.server,
    caPem: pem(cluster, 'certificate-authority'),
    clientCertificatePem: pem(user, 'client-certificate'),
    clientKeyPem: pem(user, 'client-key'),
    token: user.token ?? (user.tokenFile ? readReferenced(path, user.tokenFile).trim() : undefined),
    namespace: context.namespace,
  });
}

/** A file that a kubeconfig names is relative to the kubeconfig. */
function readReferenced(path: string, reference: string): string {
  const content = readIfExists(resolve(dirname(path), reference));
  if (!content) throw invalid(path, `it names the file ${reference}, which does not exist`);
  return content.toString();
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decodeBase64(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, 'base64').toString();
}

function withoutUndefined(connection: { [K in keyof Connection]: Connection[K] | undefined }): Connection {
  // `server` is always set by the callers; all other members may be absent.
  return Object.fromEntries(
    Object.entries(connection).filter(([, value]) => value !== undefined),
  ) as unknown as Connection;
}

function invalid(path: string, why: string): StatusError {
  return new StatusError('Invalid', `The kubeconfig ${path} cannot be used: ${why}.`);
}

function unreadable(path: string, cause: unknown): StatusError {
  return new StatusError('Invalid', `The kubeconfig ${path} is not valid YAML: ${messageOf(cause)}`, {
    cause,
  });
}
