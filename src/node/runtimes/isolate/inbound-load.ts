import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

/** What a pod's servers had to do since the pod began. */
export interface RequestLoad {
  /** Requests begun. */
  requests: number;
  /** The time that requests were under way, added up: two that take a second each, at the same time, are 2,000. */
  busyMs: number;
  /** Under way now. */
  active: number;
}

/** Who asks how a pod is, asks nothing of what it serves. */
const questioners = /^(kube-probe|selvage-controller)\//;

/** Counts what the servers of this process are asked over HTTP/1 and HTTP/2, whatever program they are of. */
export class InboundLoad {
  readonly #nowMs: () => number;
  #requests = 0;
  #active = 0;
  #busyMs = 0;
  #sinceMs: number;
  #reported = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  install(): void {
    subscribe('http.server.request.start', (message) => {
      // As the channel's documentation has it: https://nodejs.org/api/diagnostics_channel.html#http
      const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
      if (this.begin(request.headers['user-agent'])) response.once('close', () => this.end());
    });
    subscribe('http2.server.stream.start', (message) => {
      const { stream, headers } = message as { stream: ServerHttp2Stream; headers: Record<string, string> };
      if (this.begin(headers['user-agent'])) stream.once('close', () => this.end());
    });
  }

  /** False if it doesn't count. */
  begin(userAgent: string | undefined): boolean {
    if (userAgent !== undefined && questioners.test(userAgent)) return false;
    this.#settle();
    this.#requests += 1;
    this.#active += 1;
    return true;
  }

  end(): void {
    this.#settle();
    this.#active -= 1;
  }

  /** Undefined if nothing has changed since the last call. */
  report(): RequestLoad | undefined {
    if (this.#active === 0 && this.#busyMs === this.#reported) return undefined;
    this.#settle();
    this.#reported = this.#busyMs;
    return { requests: this.#requests, busyMs: this.#busyMs, active: this.#active };
  }

  #settle(): void {
    const nowMs = this.#nowMs();
    this.#busyMs += this.#active * (nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }
}
