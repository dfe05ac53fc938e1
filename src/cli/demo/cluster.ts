import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lifecycle } from '../../base/lifecycle.ts';
import { silentLog } from '../../base/log.ts';
import { type ClusterConnection, connectCluster } from '../cluster-connection.ts';
import { type DataDir, dataDir } from '../data-dir.ts';
import { startWideAreaLink, type WideAreaLink } from '../wan/client.ts';
import type { LinkShape } from '../wan/link.ts';
import { freePort } from './free-port.ts';
import { type SelvageProcess, startProcess } from './process.ts';

const podGraceSeconds = 5;

export const edgeSites = ['edge-a', 'edge-b'];
export const sites = ['cloud', ...edgeSites];

/** Three sites on one machine: a control plane and an agent each, the edges behind the simulated link. */
export interface Cluster extends ClusterConnection {
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
  say: (text: string) => void;
}): Promise<Cluster> {
  const { life } = options;
  const logs = join(options.dir, 'logs');
  mkdirSync(logs, { recursive: true });
  const wan = life.add(await startWideAreaLink(options.wan));
  const start = (name: string, args: string[], env?: Record<string, string>) =>
    life.add(
      startProcess({
        name,
        args,
        logFile: join(logs, `${name}.log`),
        onRestart: options.say,
        ...(env && { env }),
      }),
    );
  const control = controlPlaneDir(options.dir);
  // Ports are chosen here, so that a process that is started again has its old one, and relays can stand in front.
  const apiPort = options.port || (await freePort());
  const cloudMeshPort = await freePort();

  const startedMs = performance.now();
  const controlPlane = start('control-plane', controlPlaneArgs(control, apiPort));
  const { server, joinToken } = await controlPlane.ready;
  const apiReadyMs = performance.now() - startedMs;

  const apiRelayPort = await wan.relay('api', { host: '127.0.0.1', port: apiPort });
  const meshRelayPort = await wan.relay('mesh', { host: '127.0.0.1', port: cloudMeshPort });
  const siteDirs = Object.fromEntries(sites.map((site) => [site, join(options.dir, site)]));
  // An agent that is told to stop while it starts anew after a crash has not found its shim yet.
  life.defer(() => endShims(Object.values(siteDirs)));
  const startAgent = (site: string, more: string[]) => {
    const args = [
      'agent',
      '--stop-pods',
      '--name',
      site,
      '--zone',
      site,
      '--data-dir',
      siteDirs[site]!,
      ...more,
    ];
    return start(site, args, { SELVAGE_TOKEN: joinToken! });
  };
  const cloud = [
    '--server',
    server!,
    '--mesh-port',
    String(cloudMeshPort),
    '--mesh-advertise',
    `127.0.0.1:${meshRelayPort}`,
  ];
  const edge = ['--server', `https://127.0.0.1:${apiRelayPort}`, '--label', 'selvage.dev/tier=edge'];
  const agents = Object.fromEntries(
    sites.map((site) => [site, startAgent(site, site === 'cloud' ? cloud : edge)]),
  );

  return {
    ...(await connectCluster(control.kubeconfig)),
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

async function endShims(dirs: string[]): Promise<void> {
  const { connectShim } = await import('../../node/runtimes/shim/client.ts');
  for (const dir of dirs) {
    const shim = await connectShim({
      dataDir: dataDir(dir).node,
      log: silentLog,
      spawnIfAbsent: false,
    }).catch(() => undefined);
    await shim?.shutdown({ graceSeconds: podGraceSeconds });
  }
}
