import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lifecycle } from '../../base/lifecycle.ts';
import { type Client, createClient, httpTransport } from '../../client/index.ts';
import { readKubeconfig } from '../../identity/kubeconfig.ts';
import { type DataDir, dataDir } from '../data-dir.ts';
import { startWideAreaLink, type WideAreaLink } from '../wan/client.ts';
import type { LinkShape } from '../wan/link.ts';
import { type SelvageProcess, startProcess } from './process.ts';

export const edgeSites = ['edge-a', 'edge-b'];
export const sites = ['cloud', ...edgeSites];

/** Three sites on one machine: a control plane and an agent each, the edges behind the simulated link. */
export interface Cluster {
  client: Client;
  server: string;
  kubeconfig: string;
  wan: WideAreaLink;
  controlPlane: SelvageProcess;
  agents: Record<string, SelvageProcess>;
  siteDirs: Record<string, string>;
  /** When the first process was started, on `performance.now()`'s clock. */
  startedMs: number;
  apiReadyMs: number;
}

/** What it starts, `life` stops: also what was started before something failed. */
export async function startCluster(options: {
  dir: string;
  port: number;
  wan: LinkShape;
  life: Lifecycle;
}): Promise<Cluster> {
  const { life } = options;
  const logs = join(options.dir, 'logs');
  mkdirSync(logs, { recursive: true });
  const wan = life.add(await startWideAreaLink(options.wan));
  const startedMs = performance.now();
  const control = dataDir(join(options.dir, 'control-plane'));
  const controlPlane = life.add(
    startProcess({ args: controlPlaneArgs(control, options.port), logFile: join(logs, 'control-plane.log') }),
  );
  const { server, joinToken } = await controlPlane.ready;
  const apiReadyMs = performance.now() - startedMs;

  const api = addressOf(server!);
  const relayPort = await wan.relay('api', api);
  // The cloud's mesh port is chosen here, so that the relay in front of it can be made known when the agent joins.
  const cloudMeshPort = await freePort();
  const cloudRelayPort = await wan.relay('mesh', { host: '127.0.0.1', port: cloudMeshPort });
  const siteDirs = Object.fromEntries(sites.map((site) => [site, join(options.dir, site)]));
  const startAgent = (site: string, more: string[]) => {
    const args = [
      'agent',
      '--name',
      site,
      '--zone',
      site,
      '--token',
      joinToken!,
      '--data-dir',
      siteDirs[site]!,
      ...more,
    ];
    return life.add(startProcess({ args, logFile: join(logs, `${site}.log`) }));
  };
  const cloud = [
    '--server',
    server!,
    '--mesh-port',
    String(cloudMeshPort),
    '--mesh-advertise',
    `127.0.0.1:${cloudRelayPort}`,
  ];
  const edge = ['--server', `https://127.0.0.1:${relayPort}`, '--label', 'selvage.dev/tier=edge'];
  const agents = Object.fromEntries(
    sites.map((site) => [site, startAgent(site, site === 'cloud' ? cloud : edge)]),
  );

  return {
    client: createClient(httpTransport(await readKubeconfig(control.kubeconfig))),
    server: server!,
    kubeconfig: control.kubeconfig,
    wan,
    controlPlane,
    agents,
    siteDirs,
    startedMs,
    apiReadyMs,
  };
}

/** The control plane's registry folder is its own, so images may be built into it before it starts. */
export function controlPlaneDir(dir: string): DataDir {
  return dataDir(join(dir, 'control-plane'));
}

function controlPlaneArgs(control: DataDir, port: number): string[] {
  return ['up', '--no-node', '--no-kubeconfig', '--port', String(port), '--data-dir', control.root];
}

function addressOf(server: string): { host: string; port: number } {
  const { hostname, port } = new URL(server);
  return { host: hostname, port: Number(port) };
}

async function freePort(): Promise<number> {
  const net = await import('node:net');
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as import('node:net').AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
