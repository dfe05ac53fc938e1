import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PodSubnets, podNetworkDefault } from './subnets.ts';

const all = (subnets: PodSubnets) => {
  const taken = new Set<string>();
  for (let subnet = subnets.free(taken); subnet; subnet = subnets.free(taken)) taken.add(subnet);
  return [...taken];
};

test('subnets are given out in turn, one that is given back after the others, until none is left', () => {
  const subnets = new PodSubnets(podNetworkDefault);
  const given = new Set(['10.42.0.0/24', '10.42.2.0/24']);
  assert.equal(subnets.free(given), '10.42.1.0/24');
  assert.equal(subnets.free(given), '10.42.3.0/24');
  const taken = all(new PodSubnets(podNetworkDefault));
  assert.equal(subnets.free(new Set(taken)), undefined);
  assert.deepEqual([taken.length, taken.at(-1)], [256, '10.42.255.0/24']);
});

test('a wider network or smaller subnets have room for more nodes', () => {
  const table: [string, number, number, string][] = [
    ['10.42.0.0/16', 26, 1024, '10.42.255.192/26'],
    ['10.128.0.0/12', 24, 4096, '10.143.255.0/24'],
    ['192.168.4.77/22', 24, 4, '192.168.7.0/24'],
    ['10.42.0.0/24', 24, 1, '10.42.0.0/24'],
  ];
  for (const [clusterCidr, nodeCidrMaskSize, count, last] of table) {
    const subnets = all(new PodSubnets({ clusterCidr, nodeCidrMaskSize }));
    assert.deepEqual([subnets.length, subnets.at(-1)], [count, last], clusterCidr);
  }
});

test('a network that cannot be shared out so is refused in words', () => {
  const table: [string, number, RegExp][] = [
    ['10.42.0.0', 24, /--cluster-cidr 10.42.0.0 is no IPv4 network; it should look like 10.42.0.0\/16/],
    ['10.300.0.0/16', 24, /is no IPv4 network/],
    ['fd00::/64', 80, /is no IPv4 network/],
    ['10.42.0.0/16', 15, /--node-cidr-mask-size 15 does not fit 10.42.0.0\/16: 16 to 30 would/],
    ['10.42.0.0/16', 31, /16 to 30 would/],
    ['10.0.0.0/9', 26, /9 to 25 would/],
    ['10.42.0.0/15', 24, /overlaps the network of Services, 10.43.0.0\/16/],
  ];
  for (const [clusterCidr, nodeCidrMaskSize, expected] of table) {
    assert.throws(() => new PodSubnets({ clusterCidr, nodeCidrMaskSize }), expected);
  }
});
