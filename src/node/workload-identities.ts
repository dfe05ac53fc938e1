import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { formatSpiffeId } from '../identity/spiffe.ts';
import { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { type HeldCertificate, requestCertificate } from './certificates/request-certificate.ts';
import type { PodRecord } from './pods/record.ts';
import type { ShimLink } from './shim-link.ts';
import type { NodeState } from './state.ts';

export interface WorkloadIdentitiesOptions {
  client: Client;
  clock: Clock;
  log: Log;
  state: NodeState;
  shim: ShimLink;
  caPem: string;
  trustDomain?: string;
}

/**
 * Gives each pod a certificate that names its service account (SPIFFE), and renews it. Pods don't wait for it: the
 * shim holds connections that need one. Kept on disk, so that pods that start again offline can still be trusted.
 */
export class WorkloadIdentities implements Running {
  readonly #options: WorkloadIdentitiesOptions;
  readonly #keepers = new Map<string, CertificateKeeper>();

  constructor(options: WorkloadIdentitiesOptions) {
    this.#options = options;
    options.shim.onConnected(() => {
      for (const [uid, keeper] of this.#keepers) if (keeper.current) this.#push(uid, keeper.current);
    });
  }

  add(record: PodRecord): void {
    const { client, clock, log, state } = this.#options;
    const { uid } = record;
    if (this.#keepers.has(uid)) return;
    const fact = `identity/${uid}`;
    const keeper = new CertificateKeeper({
      name: `pod ${record.namespace}/${record.name}`,
      clock,
      log,
      // It was saved below as such.
      load: () => state.fact(fact) as HeldCertificate | undefined,
      save: (held) => {
        if (this.#keepers.has(uid)) state.saveFact(fact, held);
      },
      request: (signal) => requestCertificate(this.#order(record), { client, clock, signal }),
      onCertificate: (held) => this.#push(uid, held),
    });
    this.#keepers.set(uid, keeper);
    keeper.start();
  }

  remove(uid: string): void {
    const keeper = this.#keepers.get(uid);
    this.#keepers.delete(uid);
    this.#options.state.removeFact(`identity/${uid}`);
    keeper?.stop().catch(() => {});
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.stop()));
  }

  #push(uid: string, held: HeldCertificate): void {
    const { shim, caPem, log } = this.#options;
    const identity = {
      certificate: held.certificatePem,
      privateKey: held.privateKeyPem,
      trustBundle: caPem,
    };
    shim.current?.pushIdentity(uid, identity).catch((error: unknown) => {
      log.warn('identity not given to the pod', { uid, error: messageOf(error) });
    });
  }

  #order(record: PodRecord) {
    const { trustDomain = 'cluster.local' } = this.#options;
    const serviceAccount = record.pod.spec?.serviceAccountName ?? 'default';
    return {
      names: {
        commonName: `${record.namespace}/${serviceAccount}`,
        uris: [
          formatSpiffeId({ kind: 'workload', trustDomain, namespace: record.namespace, serviceAccount }),
        ],
      },
      signerName: 'selvage.dev/workload',
      usages: ['digital signature', 'client auth', 'server auth'],
      annotations: {
        'selvage.dev/pod-namespace': record.namespace,
        'selvage.dev/pod-name': record.name,
        'selvage.dev/pod-uid': record.uid,
      },
    };
  }
}
