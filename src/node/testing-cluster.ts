import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type CertificateSigningRequest,
  certificateSigningRequest,
} from '../api/kinds/certificateSigningRequest.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { systemClock, toTime } from '../base/clock.ts';
import { isStatus, StatusError } from '../base/errors.ts';
import { createLog, silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { createInformer } from '../client/informer.ts';
import type { Transport, WatchEvent } from '../client/transport.ts';
import type { Authority } from '../identity/authority.ts';
import { parseRequest } from '../identity/csr.ts';
import { buildImage } from '../oci/build.ts';
import { ContentStore } from '../oci/content-store.ts';
import { serveRegistry, temporaryFolder } from '../oci/testing.ts';
import { type Agent, type AgentOptions, startAgent } from './agent.ts';
import { FakeShim } from './testing.ts';

const log =
  process.env.SELVAGE_TEST_LOG === '1'
    ? createLog({ level: 'debug', write: (line) => process.stderr.write(line) })
    : silentLog;

/** A real API server, registry and certificate signer, with a node that tests start, stop and cut off. */
export interface TestCluster {
  admin: Client;
  shim: FakeShim;
  authority: Authority;
  dataDir: string;
  registry: { url: string };
  /** False: the node's requests and watches fail as if the link were down. */
  setReachable(isReachable: boolean): void;
  /** What the node's watches have brought it so far. */
  readonly received: readonly WatchEvent[];
  /** From now on the API server takes the node's requests and answers none. */
  stall(): void;
  startNode(options?: Partial<AgentOptions>): Promise<Agent>;
  createPod(spec: object, metadata?: object): Promise<Pod>;
  pod(name?: string): Promise<Pod | undefined>;
  /** Waits for a pod of which `isSo` holds. */
  podWhen(what: string, isSo: (pod: Pod) => boolean, name?: string): Promise<Pod>;
  /** Builds an isolate image into the registry. */
  build(tag: string, source?: string): Promise<void>;
}

const greeter = `export default { fetch: () => new Response('hello') };\n`;

export async function startTestCluster(t: TestContext): Promise<TestCluster> {
  // What a test defers is done in this order: an agent writes to its folder until it has stopped.
  const agents: Agent[] = [];
  t.after(() => Promise.all(agents.map((agent) => agent.stop())));
  const server = await startTestServer({ listens: false });
  t.after(() => server.close());
  const admin = createClient(server.server.transport());
  const link = severable(
    server.server.transport({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }),
  );
  signCertificates(t, admin, server.authority);
  const dataDir = await temporaryFolder(t);
  const store = await ContentStore.open(await temporaryFolder(t));
  const registry = await serveRegistry(t, { store });
  const shim = new FakeShim();
  await admin.create(podKind, { metadata: { name: 'unrelated', namespace: 'default' }, spec } as never);

  const pod = async (name = 'web') => {
    try {
      return await admin.get<Pod>(podKind, { namespace: 'default', name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  };
  return {
    admin,
    shim,
    authority: server.authority,
    dataDir,
    registry,
    setReachable: link.setReachable,
    stall: link.stall,
    received: link.received,
    pod,
    async startNode(options = {}) {
      const agent = await startAgent({
        name: 'n1',
        client: createClient(link.transport),
        dataDir,
        registry,
        caPem: server.authority.caPem,
        log,
        advertiseAddress: '127.0.0.1',
        version: '0.1.0',
        connectShim: shim.connect,
        ...options,
      });
      agents.push(agent);
      await until('the node is registered', async () => {
        try {
          const body = { spec: { podCIDR: '10.42.0.0/24' } };
          return await admin.patch(nodeKind, { name: 'n1' }, { type: 'merge', body });
        } catch {
          return !link.isReachable();
        }
      });
      return agent;
    },
    createPod: (podSpec, metadata = {}) =>
      admin.create<Pod>(podKind, {
        metadata: { name: 'web', namespace: 'default', ...metadata },
        spec: { ...spec, nodeName: 'n1', ...podSpec },
      } as Pod),
    podWhen: (what, isSo, name) =>
      until(what, async () => {
        const found = await pod(name);
        return found && isSo(found) ? found : undefined;
      }).catch(async (error: unknown) => {
        throw new Error(`${error}: ${JSON.stringify((await pod(name))?.status)}`);
      }),
    async build(tag, source = greeter) {
      const contextDir = await temporaryFolder(t);
      await mkdir(contextDir, { recursive: true });
      await writeFile(join(contextDir, 'package.json'), '{"type":"module","main":"server.js"}');
      await writeFile(join(contextDir, 'server.js'), source);
      await buildImage({ contextDir, store, tag });
    },
  };
}

const spec = { containers: [{ name: 'web', image: 'web:1' }] };

/** A transport whose link can be cut: requests fail, and running watches end. */
function severable(inner: Transport) {
  let cut = new AbortController();
  let isStalled = false;
  const received: WatchEvent[] = [];
  const down = () => new StatusError('ServiceUnavailable', 'cannot reach the API server: the link is cut');
  const transport: Transport = async (request) => {
    if (cut.signal.aborted) throw down();
    if (isStalled) await new Promise(() => {});
    const response = await inner(request);
    if (response.kind !== 'watch') return response;
    return { ...response, events: severed(response.events, { cut: cut.signal, down, received }) };
  };
  return {
    transport,
    received,
    isReachable: () => !cut.signal.aborted,
    stall() {
      isStalled = true;
    },
    setReachable(isReachable: boolean) {
      if (isReachable) cut = new AbortController();
      else cut.abort();
    },
  };
}

async function* severed(
  events: AsyncIterable<WatchEvent>,
  { cut, down, received }: { cut: AbortSignal; down: () => Error; received: WatchEvent[] },
) {
  const broken = new Promise<never>((_, reject) => cut.addEventListener('abort', () => reject(down())));
  broken.catch(() => {});
  const iterator = events[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([iterator.next(), broken]);
    if (next.done) return;
    received.push(next.value);
    yield next.value;
  }
}

/** Approves and signs whatever is asked for; who may have what is the signing controller's business. */
export function signCertificates(t: TestContext, admin: Client, authority: Authority): void {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const sign = async (request: CertificateSigningRequest) => {
    if (request.status?.certificate) return;
    const csrPem = Buffer.from(request.spec!.request, 'base64').toString();
    const { publicKey: _, ...names } = parseRequest(csrPem);
    const { chainPem } = authority.sign(csrPem, {
      ...names,
      usages: request.spec!.usages!.includes('server auth') ? ['server', 'client'] : ['client'],
      lifetimeSeconds: 3600,
    });
    const condition = { type: 'Approved', status: 'True', lastUpdateTime: toTime(Date.now()) };
    const status = { conditions: [condition], certificate: Buffer.from(chainPem).toString('base64') };
    const key = { name: request.metadata!.name! };
    const patch = { type: 'merge' as const, body: { status } };
    await admin.patch(certificateSigningRequest, key, patch, { subresource: 'status' });
  };
  createInformer<CertificateSigningRequest>({
    client: admin,
    kind: certificateSigningRequest,
    clock: systemClock,
    log,
    onChange: ({ type, object }) => {
      if (type === 'added') sign(object).catch((error: unknown) => log.error('not signed', { error }));
    },
  }).start(stop.signal);
}
