import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RouteTable } from '../../mesh/route-table.ts';
import type { ContainerSpec, ContainerState, Runtime } from './runtime.ts';

// What the tests of runtimes share: programs as unpacked images, specs, and ways to wait and to ask.

/** How long a test waits for what must happen. */
export const waitMs = 15_000;

export interface TestFolder {
  dir: string;
  /** Writes an image with these files and answers its root folder. */
  image(name: string, files: Record<string, string>): string;
  remove(): void;
}

export function makeFolder(): TestFolder {
  const dir = mkdtempSync(path.join(tmpdir(), 'runtime-'));
  return {
    dir,
    image: (name, files) => {
      const root = path.join(dir, 'images', name);
      for (const [file, source] of Object.entries(files)) {
        mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
        writeFileSync(path.join(root, file), source);
      }
      return root;
    },
    remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** A container that runs `main.ts` or `main.mjs` of an image. */
export function specOf(
  folder: TestFolder,
  options: { name: string; ip: string; rootDir: string; entry?: string } & Partial<ContainerSpec>,
): ContainerSpec {
  const { name, ip, rootDir, entry = 'main.ts', ...rest } = options;
  return {
    id: `${name}/main/0`,
    pod: { namespace: 'default', name, uid: name, ip, serviceAccount: 'default', labels: { app: name } },
    container: 'main',
    rootDir,
    command: [path.join(rootDir, entry)],
    workingDir: rootDir,
    env: {},
    mounts: [],
    grants: { worker: false, addons: false, egress: [] },
    logPath: path.join(folder.dir, 'logs', `${name}.log`),
    logBytesMax: 10 * 2 ** 20,
    logFilesMax: 5,
    ...rest,
  };
}

/** Waits until a container's state is as wanted. */
export async function waitFor(
  runtime: Runtime,
  id: string,
  isWanted: (state: ContainerState) => boolean,
): Promise<ContainerState> {
  const found = Promise.withResolvers<ContainerState>();
  const look = (state: ContainerState) => {
    if (state.id === id && isWanted(state)) found.resolve(state);
  };
  const unsubscribe = runtime.subscribe(look);
  const timer = setTimeout(async () => {
    const now = (await runtime.list().catch(() => [])).find((state) => state.id === id);
    found.reject(new Error(`container ${id} is not as wanted: ${JSON.stringify(now)}`));
  }, waitMs);
  try {
    for (const state of await runtime.list()) look(state);
    return await found.promise;
  } finally {
    clearTimeout(timer);
    unsubscribe();
  }
}

export async function startListening(runtime: Runtime, spec: ContainerSpec): Promise<ContainerState> {
  await runtime.start(spec);
  const state = await waitFor(runtime, spec.id, ({ listening, phase }) => listening || phase === 'exited');
  if (state.phase === 'exited') throw new Error(`container ${spec.id} exited: ${JSON.stringify(state)}`);
  return state;
}

export async function runToEnd(runtime: Runtime, spec: ContainerSpec): Promise<ContainerState> {
  await runtime.start(spec);
  return waitFor(runtime, spec.id, ({ phase }) => phase === 'exited');
}

/** One HTTP request to a pod, as a probe makes it. */
export async function ask(
  runtime: Runtime,
  podIP: string,
  options: http.RequestOptions & { port?: number; body?: string } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string }> {
  const socket = await runtime.dial({ podIP, port: options.port ?? 80 });
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const request = http.request({ host: podIP, ...rest, createConnection: () => socket }, (response) => {
      response.toArray().then((chunks) => {
        socket.destroy();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks as Buffer[]).toString(),
        });
      }, reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** A route table of one node in which each Service, on port 80, leads to these pods' port 8080. */
export function routesTo(services: Record<string, string[]>, version = '1'): RouteTable {
  return {
    version,
    node: { name: 'a', zone: '' },
    routes: Object.entries(services).map(([name, ips]) => ({
      namespace: 'default',
      name,
      clusterIPs: [],
      preferClose: false,
      localOnly: false,
      ports: [
        {
          name: '',
          port: 80,
          endpoints: ips.map((ip) => ({ ip, port: 8080, node: 'a', zone: '', isLocal: true, spiffeIds: [] })),
        },
      ],
    })),
  };
}
