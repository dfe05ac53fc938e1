import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ApiRequest } from '../../client/transport.ts';
import type { Answer } from '../answer.ts';
import type { Audit } from '../audit/audit.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import type { Passed } from '../proxy/forward.ts';
import type { Authenticator, User } from '../user.ts';
import type { KubeletRequest } from '../verbs/log.ts';
import type { Http2 } from './http2.ts';
import { RequestLimits } from './limits.ts';
import { serve } from './serve.ts';
import { serveUpgrade } from './serve-upgrade.ts';
import { wantsPassedUpgrade, wantsStream } from './upgrade.ts';

/** Takes a request of an authenticated user and answers it itself, or answers false to pass. */
export type ExtraHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  user: User,
) => boolean | Promise<boolean>;

export interface ListenOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tls: {
    /** The whole chain, the authority's certificate included, so that a joining node can pin it. */
    certPem: string;
    keyPem: string;
    /** Client certificates must be signed by it. */
    caPem: string;
  };
  extraHandlers?: readonly ExtraHandler[];
}

export interface Listening {
  port: number;
  /** New connections get this certificate, of the same authority. */
  useCertificate(certificate: { certPem: string; keyPem: string }): void;
  /** Stops accepting, ends watches, and resolves when all connections are gone. */
  close(): Promise<void>;
}

export interface Listener extends ListenOptions {
  handle(request: ApiRequest, user: User): Promise<Answer>;
  /** Where the stream is that an upgrade asks for. */
  openStream(request: ApiRequest, user: User): Promise<KubeletRequest | Passed>;
  /** Whether another server answers, and reads the body. */
  isPassedOn(request: Pick<ApiRequest, 'path'>): boolean;
  authenticators: readonly Authenticator[];
  /** Whether a user may be made another one. */
  authorize(attributes: Attributes): Decision;
  flowControl: FlowControl;
  audit: Audit | undefined;
  log: Log;
}

/** A client must be done with TLS, and with its head, by then: slow ones (slowloris) are cut off. */
const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 15_000;
const idleTimeoutMs = 75_000;
const headerBytesMax = 16 * 1024;
/** A thousand agents hold six each; one takes about 100 kB. */
const connectionsMax = 16_384;
/** A client whose machine is gone is noticed by TCP. */
const keepAliveProbeMs = 30_000;
/** What is under way may finish for so long after `close`. */
const drainMs = 2_000;

/** Serves HTTPS, with HTTP/1.1 and HTTP/2, until closed; rejects where the port can't be had. */
export function listen(listener: Listener): Promise<Listening> {
  const { host, port, tls, log } = listener;
  const limits = new RequestLimits();
  const underWay = new UnderWay();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const [signal, done] = underWay.begin();
    response.once('close', done);
    serve(listener, limits, { request, response, signal })
      .catch((error: unknown) => {
        log.warn('a connection broke', { error: messageOf(error) });
        response.destroy();
      })
      .finally(done);
  };
  const server = createServer(
    {
      cert: tls.certPem,
      key: tls.keyPem,
      ca: tls.caPem,
      requestCert: true,
      // A wrong certificate gets a 401 in Kubernetes' form rather than a broken handshake.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
      headersTimeout: headersTimeoutMs,
      // The body has its own deadline in read-request.ts: image layers may take longer than API objects.
      requestTimeout: 0,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: headerBytesMax,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeMs,
      shouldUpgradeCallback: (request) => wantsStream(request) || wantsPassedUpgrade(listener, request),
    },
    onRequest,
  );
  const http2 = new LazyHttp2(async () => {
    const { createHttp2 } = await import('./http2.ts');
    return createHttp2({ headerBytesMax, idleTimeoutMs, onRequest });
  });
  chooseByAlpn(server, http2);
  server.on('upgrade', (request, socket, head) => {
    const [signal, done] = underWay.begin();
    socket.on('error', () => {}).once('close', done);
    void serveUpgrade(listener, limits, { request, socket, head, signal }).finally(done);
  });
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', () => {});
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', (error) => log.error('the listener failed', { error: messageOf(error) }));
      resolve({
        // Listening on a host and port, the address is never a path.
        port: (server.address() as AddressInfo).port,
        useCertificate: ({ certPem, keyPem }) =>
          server.setSecureContext({ cert: certPem, key: keyPem, ca: tls.caPem, minVersion: 'TLSv1.2' }),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            underWay.end();
            http2.current?.drain();
            server.closeIdleConnections();
            setTimeout(() => {
              server.closeAllConnections();
              http2.current?.destroy();
            }, drainMs).unref();
          }),
      });
    });
  });
}

type HttpsServer = ReturnType<typeof createServer>;

/** Who speaks HTTP/2 says so in the TLS handshake; all others are left to Node's HTTP/1.1. */
function chooseByAlpn(server: HttpsServer, http2: LazyHttp2): void {
  // An HTTPS server begins with one listener for new connections: the HTTP/1.1 parser.
  const [http1] = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.take(socket);
    else http1!.call(server, socket);
  });
}

/** Loads what speaks HTTP/2 when the first client does. */
class LazyHttp2 {
  current: Http2 | undefined;
  #loading: Promise<Http2> | undefined;
  readonly #load: () => Promise<Http2>;

  constructor(load: () => Promise<Http2>) {
    this.#load = load;
  }

  take(socket: TLSSocket): void {
    if (this.current) {
      this.current.take(socket);
      return;
    }
    this.#loading ??= this.#load();
    this.#loading.then(
      (http2) => {
        this.current = http2;
        if (!socket.destroyed) http2.take(socket);
      },
      () => socket.destroy(),
    );
  }
}

/** One for all: to make one takes the time of a stack trace, at the end of every request. */
const over = new DOMException('This operation was aborted', 'AbortError');

/** The requests under way; each has a signal that says when its client is gone or the server closes. */
class UnderWay {
  #ends = new Set<AbortController>();
  #isClosing = false;

  begin(): [AbortSignal, () => void] {
    const end = new AbortController();
    if (this.#isClosing) end.abort(over);
    else this.#ends.add(end);
    const done = () => {
      if (this.#ends.delete(end)) end.abort(over);
    };
    return [end.signal, done];
  }

  end(): void {
    this.#isClosing = true;
    for (const end of this.#ends) end.abort(over);
    this.#ends.clear();
  }
}
