import { flushCompileCache } from 'node:module';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { node } from '../api/kinds/node.ts';
import type { PodPort } from '../apiserver/service-dial.ts';
import { systemClock } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import { releaseMemoryWhenIdle } from '../base/idle-memory.ts';
import { Lifecycle, type Running } from '../base/lifecycle.ts';
import { createLog, type Log } from '../base/log.ts';
import { type Client, createClient } from '../client/index.ts';
import { writeKubeconfig } from '../identity/kubeconfig.ts';
import { auditOptions } from './audit-flags.ts';
import { defaultKubeconfig } from './cluster-connection.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import type { DataDir } from './data-dir.ts';
import { grantsAllowed } from './grants-allowed.ts';
import { tellParent, untilToldToStop } from './parent.ts';
import { renewedCertificate } from './renewed-certificate.ts';
import { formatMs } from './terminal/units.ts';
import type { UpFlags } from './up.ts';
import { version } from './version.ts';
import { watchFolder } from './watch-folder.ts';

const podGraceSeconds = 10;
const yearSeconds = 365 * 24 * 3600;
/** Who waits longer is told that it goes on. */
const slowStartMs = 2_000;

/** `selvage up`: runs until it is told to stop. */
export async function runUp(flags: UpFlags, dataDir: DataDir): Promise<void> {
  const told = untilToldToStop();
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const log = createLog({ level: flags.logLevel, write: (line) => process.stderr.write(line) });
  const life = new Lifecycle();
  let kubectl: { path: string; replaced?: string | undefined } = { path: '' };
  const waiting = systemClock.after(slowStartMs, () => say('starting …'));
  try {
    const controlPlane = life.add(
      await startControlPlane({
        dataDir,
        host: flags.host,
        port: flags.port,
        names: [flags.address ?? ownAddress(flags.host), ...flags.tlsName],
        evictAfterSeconds: flags.evictAfter,
        podAutoscalingSeconds: flags.horizontalPodAutoscalerSyncPeriod,
        podNetwork: { clusterCidr: flags.clusterCidr, nodeCidrMaskSize: flags.nodeCidrMaskSize },
        audit: auditOptions(flags),
        dialPod: (pod, signal) => (pod.nodeName === flags.name ? dialOwn(dataDir, pod, signal) : undefined),
        clock: systemClock,
        log,
        onListening: async (listening) => {
          kubectl = await writeKubeconfigs(flags, dataDir, listening);
        },
      }),
    );
    waiting();
    // Since the process began, Node.js itself included.
    say(`API ready at ${controlPlane.server} after ${formatMs(performance.now())}`);
    if (flags.kubeconfig === false) say(`kubeconfig: ${kubectl.path}`);
    else say(`kubectl uses it now: context "selvage" in ${kubectl.path}`);
    if (kubectl.replaced)
      say(
        `until now that was the cluster at ${kubectl.replaced}: its own kubeconfig is in its data folder (kubectl --kubeconfig)`,
      );
    if (flags.node) life.add(await startLocalNode(flags, dataDir, controlPlane, log));
    else
      say(
        `nodes join with: selvage agent --server ${controlPlane.server} --token-file ${dataDir.server}/join-token --name …`,
      );
    // Now and not at the end, which this would hold up: others that start find compiled what we had to compile.
    flushCompileCache();
    life.add(releaseMemoryWhenIdle({ clock: systemClock }));
    life.add(watchFolder(dataDir.server, { clock: systemClock, log }));
    tellParent({ kind: 'ready', server: controlPlane.server, joinToken: controlPlane.joinToken });
    await told;
    say('stopping …');
  } finally {
    waiting();
    await life.stop();
  }
}

/** The data folder's own kubeconfig, and the one that kubectl reads; which of them to name to a person. */
async function writeKubeconfigs(
  flags: UpFlags,
  dataDir: DataDir,
  { authority, server }: Pick<ControlPlane, 'authority' | 'server'>,
): Promise<{ path: string; replaced?: string | undefined }> {
  const { certificatePem, privateKeyPem } = authority.issue({
    commonName: 'selvage-admin',
    organizations: ['system:masters'],
    usages: ['client'],
    lifetimeSeconds: yearSeconds,
  });
  const connection = {
    server,
    caPem: authority.caPem,
    clientCertificatePem: certificatePem,
    clientKeyPem: privateKeyPem,
  };
  await writeKubeconfig(dataDir.kubeconfig, connection);
  if (flags.kubeconfig === false) return { path: dataDir.kubeconfig };
  const path = typeof flags.kubeconfig === 'string' ? flags.kubeconfig : defaultKubeconfig();
  try {
    return { path, replaced: await writeKubeconfig(path, connection) };
  } catch (error) {
    throw new Error(
      `${messageOf(error)} Name another with --kubeconfig, or leave it alone with --no-kubeconfig`,
    );
  }
}

/** Pods of the node in this process, through its shim. */
async function dialOwn(dataDir: DataDir, { ip, port }: PodPort, signal: AbortSignal): Promise<Duplex> {
  const [{ dialPod }, { shimPaths }] = await Promise.all([
    import('../node/runtimes/shim/dial-pod.ts'),
    import('../node/runtimes/shim/paths.ts'),
  ]);
  return dialPod(shimPaths(dataDir.node).dial, { podIP: ip, port, signal });
}

/** A node may not say itself that it is the control plane's: the label is there before it registers. */
async function makeControlPlaneNode(client: Client, name: string): Promise<void> {
  const labels = { 'node-role.kubernetes.io/control-plane': 'true' };
  try {
    await client.create(node, { metadata: { name, labels } });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    await client.patch(node, { name }, { type: 'merge', body: { metadata: { labels } } });
  }
}

/** How other machines reach this one: the address that is listened on, or for all of them the first that is not loopback. */
function ownAddress(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((address) => address && !address.internal && address.family === 'IPv4');
  return outside?.address ?? '127.0.0.1';
}

/** The node in this process: its client needs no network, its image pulls show a certificate as any node's do. */
async function startLocalNode(
  flags: UpFlags,
  dataDir: DataDir,
  controlPlane: ControlPlane,
  log: Log,
): Promise<Running> {
  const { startAgent } = await import('../node/agent.ts');
  const { registryFetch } = await import('../node/images/registry-fetch.ts');
  const { api, authority, metrics, server } = controlPlane;
  const user = { name: `system:node:${flags.name}`, groups: ['system:nodes', 'system:authenticated'] };
  const certificate = renewedCertificate({
    authority,
    clock: systemClock,
    terms: {
      commonName: user.name,
      organizations: ['system:nodes'],
      usages: ['client'],
      lifetimeSeconds: yearSeconds,
    },
  });
  const credentials = () => {
    const { certificatePem, privateKeyPem } = certificate.current();
    return { clientCertificatePem: certificatePem, clientKeyPem: privateKeyPem };
  };
  const registry = registryFetch({ caPem: authority.caPem, credentials });
  await makeControlPlaneNode(createClient(api.transport()), flags.name);
  const agent = await startAgent({
    name: flags.name,
    client: createClient(api.transport(user)),
    dataDir: dataDir.node,
    registry: { url: server, fetch: registry },
    caPem: authority.caPem,
    clock: systemClock,
    log,
    metrics,
    advertiseAddress: flags.address ?? ownAddress(flags.host),
    kubelet: { host: flags.host, port: 0 },
    mesh: { host: flags.host, port: 0 },
    labels: {},
    version: version(),
    grantsAllowed: grantsAllowed(flags),
    hostPathsAllowed: flags.allowHostPath,
  });
  const end = () => (flags.keepPods ? agent.stop() : agent.shutdown({ graceSeconds: podGraceSeconds }));
  return { stop: () => end().finally(() => registry.close()) };
}
