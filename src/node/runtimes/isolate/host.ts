import { subscribe } from 'node:diagnostics_channel';
import http, { type ServerResponse } from 'node:http';
import https from 'node:https';
import { flushCompileCache } from 'node:module';
import type { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { garbageCollector } from '../../../base/garbage-collector.ts';
import { createMeshClient, type MeshClient } from '../../../mesh/mesh-client.ts';
import type { TerminalSize } from '../frames.ts';
import { type FetchModule, serveFetch } from './fetch-handler.ts';
import { HandedServers } from './handed-servers.ts';
import { InboundLoad } from './inbound-load.ts';
import { lockDown } from './lockdown.ts';
import { MeshTls } from './mesh-tls.ts';
import { commandMarker, type Program, type ToPod } from './messages.ts';
import { ShimChannel } from './shim-channel.ts';
import type { Terminal } from './terminal.ts';

/** How often request telemetry goes to the shim. */
const telemetryIntervalMs = 2_000;

/** How long connections that the shim gave away before it heard of the end may be on their way. */
const lingerMs = 300;

/** By then the program has loaded what it loads at its start. */
const startedDelayMs = 1_000;

// The first code in a pod's process: it readies the sandbox, then runs the pod's program.
const init = Promise.withResolvers<Extract<ToPod, { type: 'init' }>>();
const load = new InboundLoad();
let mesh: MeshClient | undefined;
let servers: HandedServers | undefined;
let terminal: Terminal | undefined;
let terminalSize: TerminalSize = { columns: 80, rows: 24 };
/** Routes and identities that came in one breath with `init`, before the mesh was made. */
const early: ToPod[] = [];
const tls = new MeshTls((port, socket) => accept(port, socket));
const channel = new ShimChannel(onMessage);
// Now, as later nobody may change V8's flags.
const collectGarbage = garbageCollector();
lockDown();
const { program, table, identity } = await init.promise;
mesh = createMesh(program);
if (table) mesh.setTable(table);
if (identity) onMessage({ type: 'identity', identity }, undefined);
for (const message of early.splice(0)) onMessage(message, undefined);
if (!program.isExec) {
  servers = new HandedServers({ podIP: program.podIP, onChange: onListenChange });
  servers.install();
  load.install();
}
adoptProgram(program);
if (program.tty) await installTerminal();
// A command beside the container's program ends as any command does.
if (!program.isExec) process.on('SIGTERM', () => void drain());
if (program.isExec || isCommand(program.command)) {
  channel.release();
  if (!program.isExec) channel.tellLoaded();
  await runAsCommand(program);
} else {
  await run(program);
  if (servers?.isEmpty) {
    channel.release();
    channel.tellLoaded();
  }
}
setTimeout(settle, startedDelayMs).unref();

/** Keeps the compiled code for the next pod of the same image, and gives back what the start took (4 to 8 MB). */
function settle(): void {
  flushCompileCache();
  collectGarbage();
}

function onMessage(message: ToPod, socket: Socket | undefined): void {
  switch (message.type) {
    case 'init':
      init.resolve(message);
      break;
    case 'table':
      if (mesh) mesh.setTable(message.table);
      else early.push(message);
      break;
    case 'identity':
      if (mesh) mesh.setIdentity(message.identity);
      else early.push(message);
      tls.setIdentity(message.identity);
      break;
    case 'resize':
      terminalSize = message.size;
      terminal?.resize(terminalSize);
      break;
    case 'dialed':
      channel.onDialed(message, socket);
      break;
    case 'connection':
      // A socket that was closed while it travelled arrives as nothing.
      if (socket && message.isTls) void tls.accept(message.port, socket);
      else if (socket) accept(message.port, socket);
  }
}

function accept(port: number, socket: Socket): void {
  socket.on('error', () => {});
  if (!servers?.accept(port, socket)) socket.destroy();
}

function onListenChange(ports: number[]): void {
  if (ports.length > 0) channel.announce(ports);
  else channel.release();
}

function createMesh({ namespace, podIP, hostAliases }: Program): MeshClient {
  const created = createMeshClient({
    namespace,
    podIP,
    hostAliases,
    dial: (target) => channel.dial(target),
    onHold: (service) => channel.hold(service),
  });
  globalThis.fetch = created.fetch;
  Object.assign(http, { globalAgent: created.httpAgent });
  Object.assign(https, { globalAgent: created.httpsAgent });
  const report = () => {
    const rows = created.telemetry.take();
    if (rows.length > 0) channel.report(rows);
    const served = load.report();
    if (served) channel.reportLoad(served);
  };
  setInterval(report, telemetryIntervalMs).unref();
  return created;
}

/** The process was started with an empty environment, so that no variable could loosen its sandbox. */
function adoptProgram({ env, command, workingDir }: Program): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv = [process.execPath, ...command];
  process.execArgv = [];
  process.chdir(workingDir);
}

async function installTerminal(): Promise<void> {
  const { Terminal: Loaded } = await import('./terminal.ts');
  terminal = new Loaded(process.stdin, process.stdout);
  terminal.install(terminalSize);
}

/** `sh`, `ls` and the like, instead of a module. */
function isCommand([first]: string[]): boolean {
  return first === commandMarker;
}

async function runAsCommand(own: Program): Promise<void> {
  const { runProgram } = await import('./run-command.ts');
  const words = isCommand(own.command) ? own.command.slice(1) : own.command;
  await runProgram({ ...own, command: words });
}

async function run({ command }: Program): Promise<void> {
  const entry = command[0];
  if (entry === undefined) throw new Error('the container has no command');
  const module = (await import(pathToFileURL(entry).href)) as { default?: unknown };
  const exported = module.default as Partial<FetchModule> | undefined;
  if (typeof exported?.fetch !== 'function') return;
  const server = serveFetch(exported as FetchModule, {
    env: process.env,
    onError: (error, request) => console.error(`${request.method} ${request.url} failed:`, error),
  });
  server.listen(Number(process.env.PORT) || 8080);
}

/**
 * Finishes what is in flight, then ends; a program with a SIGTERM handler of its own does as it likes. The shim gives
 * it no more connections, but some are on their way, and those that clients keep open get one more answer that ends them.
 */
async function drain(): Promise<void> {
  if (process.listenerCount('SIGTERM') > 1) return;
  if (servers?.wasAsked) {
    subscribe('http.server.request.start', (message) => {
      (message as { response: ServerResponse }).response.setHeader('connection', 'close');
    });
    // And then whatever has arrived meanwhile, where the process did not get to run.
    await new Promise((resolve) => setTimeout(() => setImmediate(resolve), lingerMs));
  }
  await servers?.close();
  process.exit(0);
}
