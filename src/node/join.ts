import { dirname, join } from 'node:path';
import { node as nodeKind } from '../api/addresses.ts';
import { conditionOf } from '../api/conditions.ts';
import type { Node } from '../api/kinds/node.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { backoffMs } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { type HttpTransport, httpTransport } from '../client/http-transport.ts';
import { readCertificateNames } from '../identity/certificate.ts';
import { parseJoinToken } from '../identity/join-token.ts';
import { readIfExists, writePrivateFile } from '../identity/key-file.ts';
import { formatSpiffeId } from '../identity/spiffe.ts';
import { certificateFile } from './certificates/certificate-file.ts';
import { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { pinnedAuthority } from './certificates/pinned-authority.ts';
import { type HeldCertificate, requestCertificate } from './certificates/request-certificate.ts';
import { isExpired, validityOf } from './certificates/validity.ts';

export interface JoinOptions {
  /** `https://host:port` of the API server. */
  server: string;
  /** Needed the first time, and when the node's certificate has expired. */
  token?: string | undefined;
  nodeName: string;
  /** The node's data folder (`<data>/node`). */
  dataDir: string;
  clock: Clock;
  log: Log;
  signal?: AbortSignal;
}

/** A node that belongs to a cluster: it speaks as `system:node:<name>`. */
export interface JoinedNode extends Running {
  client: Client;
  transport: HttpTransport;
  caPem: string;
  /** The node's client certificate as it is now. */
  certificate(): HeldCertificate;
  /** Calls back with the present certificate and every later one. */
  onCertificate(listener: (held: HeldCertificate) => void): void;
}

const retry = { initialMs: 500, maxMs: 30_000 };

/**
 * Makes this machine a node of the cluster at `server`, or takes up what an earlier run got: then no server is needed
 * to start. The key is made here and stays here (0600). Waits while the server can't be reached.
 */
export async function joinCluster(options: JoinOptions): Promise<JoinedNode> {
  const { server, nodeName, dataDir, clock, log } = options;
  const file = certificateFile(join(dataDir, 'pki', 'node.pem'));
  const saved = file.load();
  if (saved) refuseOtherName(saved, options);
  const isUsable = saved && !isExpired(validityOf(saved.certificatePem), clock.nowMs());
  const caPem = await trustedAuthority(options);
  if (!isUsable && options.token) {
    const fresh = await untilReachable(options, () => bootstrap(options, caPem));
    if (!saved) await untilReachable(options, () => refuseTakenName(fresh, options, caPem));
    file.save(fresh);
  }
  const held = file.load();
  if (!held) throw needsToken(nodeName);
  if (!isUsable && !options.token) {
    log.warn('the node certificate has expired, or the clock is wrong; pass --token to join anew', {
      nodeName,
    });
  }
  return keepJoined({ server, caPem, nodeName, clock, log, file });
}

function keepJoined(options: {
  server: string;
  caPem: string;
  nodeName: string;
  clock: Clock;
  log: Log;
  file: ReturnType<typeof certificateFile>;
}): JoinedNode {
  const { server, caPem, nodeName, clock, log, file } = options;
  const { certificatePem, privateKeyPem } = file.load()!;
  const credentials = { clientCertificatePem: certificatePem, clientKeyPem: privateKeyPem };
  const transport = httpTransport({ server, caPem, ...credentials });
  const client = createClient(transport);
  const listeners: ((held: HeldCertificate) => void)[] = [];
  let isFirst = true;
  const keeper = new CertificateKeeper({
    name: 'node client',
    clock,
    log,
    ...file,
    request: (signal) => requestCertificate(nodeOrder(nodeName), { client, clock, signal }),
    onCertificate: (held) => {
      if (!isFirst) {
        transport.replaceCredentials({
          clientCertificatePem: held.certificatePem,
          clientKeyPem: held.privateKeyPem,
        });
      }
      isFirst = false;
      for (const listener of listeners) listener(held);
    },
  });
  keeper.start();
  return {
    client,
    transport,
    caPem,
    certificate: () => keeper.current!,
    onCertificate(listener) {
      listeners.push(listener);
      listener(keeper.current!);
    },
    async stop() {
      const stopped = keeper.stop();
      // Whatever it still asks fails now, however long the server would have taken.
      transport.close();
      await stopped;
    },
  };
}

/** The authority from an earlier run, or the one that the token pins. */
async function trustedAuthority(options: JoinOptions): Promise<string> {
  const path = join(options.dataDir, 'pki', 'ca.crt');
  const saved = readIfExists(path)?.toString('utf8');
  if (saved) return saved;
  if (!options.token) throw needsToken(options.nodeName);
  const { caHash } = parseJoinToken(options.token);
  const caPem = await untilReachable(options, () => pinnedAuthority(options.server, caHash));
  writePrivateFile(path, caPem);
  return caPem;
}

async function bootstrap(options: JoinOptions, caPem: string): Promise<HeldCertificate> {
  const { server, token, nodeName, clock, log, signal } = options;
  const transport = httpTransport({ server, caPem, token: parseJoinToken(token!).secret });
  try {
    const client = createClient(transport);
    const held = await requestCertificate(nodeOrder(nodeName), { client, clock, ...(signal && { signal }) });
    log.info('joined the cluster', { server, nodeName });
    return held;
  } catch (error) {
    if (!isStatus(error, 'Unauthorized')) throw error;
    const message = `${server} does not accept the join token: it may have been replaced; look it up again in the server's join-token file`;
    throw new StatusError('Unauthorized', message, { cause: error });
  } finally {
    transport.close();
  }
}

/** What a data folder holds, pods and certificates, is one node's. */
function refuseOtherName({ certificatePem }: HeldCertificate, { nodeName, dataDir }: JoinOptions): void {
  const { commonName = '' } = readCertificateNames(certificatePem);
  const owner = commonName.replace(/^system:node:/, '');
  if (owner === nodeName) return;
  throw new StatusError(
    'Conflict',
    `the data folder ${dirname(dataDir)} is that of node "${owner}": start it with --name ${owner}, or choose another folder for "${nodeName}" with --data-dir`,
  );
}

/** Two agents of one name would take each other's pods and answer at each other's address. */
async function refuseTakenName(held: HeldCertificate, options: JoinOptions, caPem: string): Promise<void> {
  const { server, nodeName } = options;
  const credentials = { clientCertificatePem: held.certificatePem, clientKeyPem: held.privateKeyPem };
  const transport = httpTransport({ server, caPem, ...credentials });
  try {
    const present = await createClient(transport).get<Node>(nodeKind, { name: nodeName });
    if (conditionOf(present, 'Ready')?.status !== 'True') return;
    throw new StatusError(
      'Conflict',
      `the cluster has a node "${nodeName}" already, and it is Ready: choose another --name. If this machine is to take its place, stop its agent and try again when "kubectl get nodes" says NotReady, in about 40 s`,
    );
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  } finally {
    transport.close();
  }
}

export const nodeOrder = (nodeName: string) => ({
  names: {
    commonName: `system:node:${nodeName}`,
    organizations: ['system:nodes'],
    uris: [formatSpiffeId({ kind: 'node', trustDomain: 'cluster.local', node: nodeName })],
  },
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usages: ['digital signature', 'client auth'],
});

async function untilReachable<T>(options: JoinOptions, action: () => Promise<T>): Promise<T> {
  const { clock, log, server, signal } = options;
  for (let failures = 1; ; failures++) {
    try {
      return await (signal ? untilAborted(action(), signal) : action());
    } catch (error) {
      signal?.throwIfAborted();
      if (!isStatus(error, 'ServiceUnavailable') && !isStatus(error, 'Timeout')) throw error;
      const level = failures === 1 ? 'warn' : 'debug';
      log[level]('waiting for the API server', { server, error: messageOf(error) });
      await sleep(clock, backoffMs(failures, retry), signal);
      signal?.throwIfAborted();
    }
  }
}

function needsToken(nodeName: string): StatusError {
  return new StatusError(
    'Unauthorized',
    `node ${nodeName} has not joined a cluster yet: pass --token-file with the join token, server/join-token in the server's data folder`,
  );
}
