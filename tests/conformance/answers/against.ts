import { parseArgs } from 'node:util';
import { startTestServer } from '../../../src/apiserver/test-server.ts';
import { readKubeconfig } from '../../../src/identity/kubeconfig.ts';
import { differencesOf } from './differences.ts';
import { type Endpoint, exchange } from './exchange.ts';
import { questions } from './questions.ts';

/**
 * Asks a kube-apiserver, without controllers and fresh, and our own API server the same, and prints where their
 * answers differ and nobody has said why. Ends with 1 if they do.
 * Run: `node tests/conformance/answers/against.ts --kubeconfig FILE [--only TEXT]`.
 */

const { values: flags } = parseArgs({
  options: { kubeconfig: { type: 'string' }, only: { type: 'string' } },
});
if (!flags.kubeconfig) throw new Error('--kubeconfig FILE of a fresh kube-apiserver is needed');

const running = await startTestServer();
const theirs = await endpointOf(flags.kubeconfig);
const { certificatePem: cert, privateKeyPem: key } = running.issueClient('admin');
const ours: Endpoint = { host: '127.0.0.1', port: running.port, ca: running.authority.caPem, cert, key };

let differing = 0;
const asked = questions.filter(({ ask }) => ask.includes(flags.only ?? ''));
for (const question of asked) {
  const [answer, wanted] = await Promise.all([exchange(ours, question), exchange(theirs, question)]);
  const found = differencesOf(answer, wanted);
  if (found.length === 0) continue;
  differing++;
  console.log(`${question.ask} ${JSON.stringify(question.body ?? '')}`);
  for (const { path, ours: here, theirs: there } of found)
    console.log(`  ${path}\n    ours:   ${JSON.stringify(here)}\n    theirs: ${JSON.stringify(there)}`);
}
console.log(`${asked.length} asked, ${differing} answered otherwise`);
await running.close();
process.exitCode = differing > 0 ? 1 : 0;

async function endpointOf(file: string): Promise<Endpoint> {
  const { server, caPem, clientCertificatePem, clientKeyPem } = await readKubeconfig(file);
  const { hostname, port } = new URL(server);
  const credentials = { cert: clientCertificatePem!, key: clientKeyPem! };
  return { host: hostname, port: Number(port), ...(caPem && { ca: caPem }), ...credentials };
}
