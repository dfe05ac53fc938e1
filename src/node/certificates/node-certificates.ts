import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { readCertificateNames } from '../../identity/certificate.ts';
import { nodeOrder } from '../join.ts';
import type { ShimLink } from '../shim-link.ts';
import { certificateFile } from './certificate-file.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type HeldCertificate, requestCertificate } from './request-certificate.ts';

export interface NodeCertificatesOptions {
  name: string;
  client: Client;
  dataDir: string;
  caPem: string;
  clock: Clock;
  log: Log;
  advertiseAddress: string;
  shim: ShimLink;
  nodeCertificate?: { onCertificate(listener: (held: HeldCertificate) => void): void } | undefined;
  /** Takes the certificate that the kubelet API shows. */
  onServing: (held: HeldCertificate) => void;
}

/** A node's own certificates: the one its kubelet API shows, and the one with which its shim calls other nodes. */
export class NodeCertificates implements Running {
  readonly #options: NodeCertificatesOptions;
  readonly #keepers: CertificateKeeper[] = [];
  #client: HeldCertificate | undefined;

  constructor(options: NodeCertificatesOptions) {
    this.#options = options;
    options.shim.onConnected(() => this.#push());
  }

  start(): void {
    const { name, nodeCertificate, onServing } = this.#options;
    const use = (held: HeldCertificate) => {
      this.#client = held;
      this.#push();
    };
    if (nodeCertificate) nodeCertificate.onCertificate(use);
    else this.#keep('node client', 'node.pem', nodeOrder(name), use);
    this.#keep('kubelet serving', 'kubelet.pem', this.#servingOrder(), onServing);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#keepers.map((keeper) => keeper.stop()));
  }

  #keep(
    name: string,
    fileName: string,
    order: Parameters<typeof requestCertificate>[0],
    onCertificate: (held: HeldCertificate) => void,
  ): void {
    const { client, clock, log, dataDir } = this.#options;
    const file = certificateFile(join(dataDir, 'pki', fileName));
    const keeper = new CertificateKeeper({
      name,
      clock,
      log,
      load: () => {
        const held = file.load();
        return held && names(held, order.names.ipAddresses ?? []) ? held : undefined;
      },
      save: file.save,
      request: (signal) => requestCertificate(order, { client, clock, signal }),
      onCertificate,
    });
    this.#keepers.push(keeper);
    keeper.start();
  }

  #servingOrder() {
    const { name, advertiseAddress } = this.#options;
    return {
      names: {
        commonName: `system:node:${name}`,
        organizations: ['system:nodes'],
        dnsNames: [name],
        ipAddresses: [advertiseAddress],
      },
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
    };
  }

  #push(): void {
    const { shim, caPem, log } = this.#options;
    if (!this.#client) return;
    const { certificatePem, privateKeyPem } = this.#client;
    const identity = { certificate: certificatePem, privateKey: privateKeyPem, trustBundle: caPem };
    shim.current?.pushNodeIdentity(identity).catch((error: unknown) => {
      log.warn('node identity not given to the shim', { error: messageOf(error) });
    });
  }
}

/** Whether a saved certificate still names the addresses that this node has now. */
function names(held: HeldCertificate, ipAddresses: string[]): boolean {
  const named = readCertificateNames(held.certificatePem).ipAddresses;
  return ipAddresses.every((address) => named.includes(address));
}
