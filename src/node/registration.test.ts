import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { FakeClock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { MachineFacts } from './machine.ts';
import { Registration, renewMs, statusReportMs } from './registration.ts';

interface Write {
  verb: string;
  kind: string;
  body: unknown;
}

function setUp(options: { fails?: (write: Write) => boolean } = {}) {
  const writes: Write[] = [];
  const nodes = new Map<string, KubeObject>();
  const take = (write: Write) => {
    if (options.fails?.(write)) throw new StatusError('ServiceUnavailable', 'cannot reach the API server');
    writes.push(write);
  };
  const client = {
    async get(kind: KindAddress, { name }: { name: string }) {
      take({ verb: 'get', kind: kind.kind, body: undefined });
      const found = nodes.get(name);
      if (!found) throw new StatusError('NotFound', 'nodes "n1" not found');
      return found;
    },
    async create(kind: KindAddress, object: KubeObject) {
      take({ verb: 'create', kind: kind.kind, body: object });
      if (kind.kind === 'Node') nodes.set(object.metadata!.name!, object);
      return object;
    },
    async patch(kind: KindAddress, _key: object, { body }: { body: unknown }) {
      take({ verb: 'patch', kind: kind.kind, body });
      return {};
    },
    // Registration uses nothing else of a client.
  } as unknown as Client;
  const machine: MachineFacts = {
    cpuCores: 2,
    memoryBytes: 2 ** 31,
    memoryAvailableBytes: 2 ** 30,
    diskBytes: 2 ** 40,
    diskAvailableBytes: 2 ** 39,
    processesMax: 1000,
    processes: 10,
  };
  const clock = new FakeClock();
  const description = {
    name: 'n1',
    zone: 'z',
    labels: {},
    internalIP: '10.0.0.1',
    kubeletPort: 10250,
    version: '0.1.0',
    machineId: 'm',
    podsMax: 110,
    volumesFolder: '/data/volumes',
  };
  const registration = new Registration({
    client,
    clock,
    log: silentLog,
    description: () => description,
    machine: () => machine,
  });
  const of = (verb: string, kind: string) =>
    writes.filter((write) => write.verb === verb && write.kind === kind);
  return { registration, clock, machine, writes, of };
}

test('an idle node writes its lease at every beat, and its status every five minutes', async (t) => {
  const { registration, clock, writes, of } = setUp();
  t.after(() => registration.stop());
  await registration.start();
  assert.deepEqual([of('create', 'Node').length, of('create', 'Lease').length], [1, 1]);
  assert.equal(of('patch', 'Node').length, 1);
  for (let at = 0; at < statusReportMs; at += renewMs) await clock.advance(renewMs);
  assert.equal(of('patch', 'Lease').length, statusReportMs / renewMs);
  assert.equal(of('patch', 'Node').length, 2);
  const lease = of('patch', 'Lease').at(-1)!;
  assert.deepEqual(lease.body, { spec: { renewTime: '2026-01-01T00:05:00.000000Z' } });
  assert.ok(JSON.stringify(lease.body).length < 100, 'a beat is small');
  assert.equal(writes.filter(({ verb }) => verb === 'get').length, 1);
});

test('a change of the machine is reported at the next beat', async (t) => {
  const { registration, clock, machine, of } = setUp();
  t.after(() => registration.stop());
  await registration.start();
  machine.memoryAvailableBytes = 1;
  await clock.advance(renewMs);
  assert.equal(of('patch', 'Node').length, 2);
  assert.match(JSON.stringify(of('patch', 'Node')[1]!.body), /KubeletHasInsufficientMemory/);
});

test('a status that cannot be written does not cost the node its lease', async (t) => {
  const { registration, clock, of } = setUp({
    fails: ({ verb, kind }) => verb === 'patch' && kind === 'Node',
  });
  t.after(() => registration.stop());
  await registration.start();
  await clock.advance(6 * renewMs);
  assert.ok(of('patch', 'Lease').length >= 5);
});

test('after a failure the node is back soon, and does not press a server that stays away', async (t) => {
  let tries = 0;
  let isAway = true;
  const { registration, clock, of } = setUp({
    fails: () => {
      tries++;
      return isAway;
    },
  });
  t.after(() => registration.stop());
  await registration.start();
  await clock.advance(60_000);
  assert.ok(tries > 5 && tries < 15, `${tries} tries in a minute`);
  isAway = false;
  await clock.advance(renewMs);
  assert.equal(of('create', 'Node').length, 1);
  assert.equal(of('create', 'Lease').length, 1);
});
