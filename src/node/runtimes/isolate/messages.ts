import type { RouteTable } from '../../../mesh/route-table.ts';
import type { TelemetryRow } from '../../../mesh/telemetry.ts';
import type { TerminalSize } from '../frames.ts';
import type { PodProcess } from './applets/applet.ts';
import type { FileTable } from './applets/pod-files.ts';
import type { RequestLoad } from './inbound-load.ts';

/** What the shim tells a pod's process. A `connection` and a successful `dialed` carry a socket. */
export type ToPod =
  | { type: 'init'; program: Program; table: RouteTable | undefined; identity: PodIdentity | undefined }
  | { type: 'table'; table: RouteTable }
  | { type: 'identity'; identity: PodIdentity }
  /** The terminal at the other end has this size now. */
  | { type: 'resize'; size: TerminalSize }
  /** Somebody connected to the pod; with `isTls` the pod ends mutual TLS itself. */
  | { type: 'connection'; port: number; isTls: boolean }
  | { type: 'dialed'; id: number; error?: { message: string; code: string } };

/** What a pod's process asks of the shim. The shim believes none of it. */
export type FromPod =
  /** No ports: whatever comes, on any port. */
  | { type: 'listening'; ports: number[] }
  /** The program has been loaded, and listens nowhere so far. */
  | { type: 'loaded' }
  | { type: 'dial'; id: number; host: string; port: number }
  | { type: 'telemetry'; rows: TelemetryRow[] }
  | ({ type: 'load' } & RequestLoad)
  /** Requests wait for a Service (`namespace/name`) that has no endpoint. */
  | { type: 'held'; service: string };

/** What the process runs, in place of its own (empty) environment and command line. */
export interface Program {
  /** The entry module's path, then its arguments. */
  command: string[];
  workingDir: string;
  env: Record<string, string>;
  namespace: string;
  podName: string;
  podIP: string;
  /** Names of its own, in lower case, and the addresses that they stand for. */
  hostAliases?: Readonly<Record<string, string>>;
  /** Whether standard input comes from a person at a terminal. */
  tty?: boolean;
  /** A command beside the container's own program: it serves nothing. */
  isExec?: boolean;
  /** The container's files, for commands that name them as the container's specification does. */
  files: FileTable;
  processes: PodProcess[];
}

/** PEM; the same shape as the shim's PemIdentity. */
export interface PodIdentity {
  certificate: string;
  privateKey: string;
  trustBundle: string;
}

/** In the place of a module's path: what follows is a command such as `sh`, with its arguments. */
export const commandMarker = 'selvage:command';

const portsMax = 64;
const hostCharsMax = 253;
const rowsMax = 1024;

/** Reads a message of a pod; anything that is not exactly one of the known ones is nothing. */
export function decodeFromPod(message: unknown): FromPod | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const fields = message as Record<string, unknown>;
  if (fields.type === 'listening') {
    const { ports } = fields;
    if (!Array.isArray(ports) || ports.length > portsMax || !ports.every(isPort)) return undefined;
    return { type: 'listening', ports };
  }
  if (fields.type === 'loaded') return { type: 'loaded' };
  if (fields.type === 'dial') {
    const { id, host, port } = fields;
    if (!Number.isSafeInteger(id) || typeof host !== 'string' || !isPort(port)) return undefined;
    if (host.length === 0 || host.length > hostCharsMax || !/^[A-Za-z0-9._:-]+$/.test(host)) return undefined;
    return { type: 'dial', id: id as number, host, port };
  }
  if (fields.type === 'held') {
    const { service } = fields;
    if (typeof service !== 'string' || service.length > hostCharsMax) return undefined;
    return /^[a-z0-9.-]+\/[a-z0-9.-]+$/.test(service) ? { type: 'held', service } : undefined;
  }
  if (fields.type === 'load') {
    const { requests, busyMs, active } = fields as Partial<RequestLoad>;
    if (![requests, busyMs, active].every(isAmount)) return undefined;
    return { type: 'load', requests: requests!, busyMs: busyMs!, active: active! };
  }
  if (fields.type === 'telemetry') {
    const { rows } = fields;
    if (!Array.isArray(rows) || rows.length > rowsMax || !rows.every(isTelemetryRow)) return undefined;
    return { type: 'telemetry', rows };
  }
  return undefined;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
}

function isTelemetryRow(value: unknown): value is TelemetryRow {
  if (typeof value !== 'object' || value === null) return false;
  const { destination, status, count, seconds, buckets } = value as Partial<TelemetryRow>;
  return (
    typeof destination === 'string' &&
    destination.length <= hostCharsMax * 2 &&
    Number.isInteger(status) &&
    status! >= 0 &&
    status! <= 999 &&
    isAmount(count) &&
    isAmount(seconds) &&
    Array.isArray(buckets) &&
    buckets.length <= 32 &&
    buckets.every(isAmount)
  );
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
