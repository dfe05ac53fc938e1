// What is behind the API: pods, Services and nodes by `proxy`, and another API server, which is a pod itself.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, missing, openShell } from './shell.ts';

/** A page with links, an echo, and a stream that goes on. */
const webProgram = `
import { createServer } from 'node:http';
createServer((request, response) => {
  if (request.url === '/links') {
    response.setHeader('content-type', 'text/html');
    return response.end('<a href="/next">next</a>');
  }
  if (request.url === '/old') return response.writeHead(302, { location: '/new' }).end();
  response.end([process.env.HOSTNAME, request.method, request.url].join(' '));
}).listen(process.env.PORT);
`;

/** An API server that believes the front proxy alone. */
const apiProgram = `
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const folder = JSON.parse(process.env.SELVAGE_MOUNTS)['/tls'];
const [key, cert, ca] = ['tls.key', 'tls.crt', 'ca.crt'].map((name) => readFileSync(join(folder, name)));
const at = '/apis/wardle.example.com/v1';
const verbs = ['get', 'list', 'watch'];
const resource = { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs };
const flunder = (name) => ({
  apiVersion: 'wardle.example.com/v1', kind: 'Flunder', metadata: { name, namespace: 'default' },
});
createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
  const user = request.headers['x-remote-user'];
  const { pathname, searchParams } = new URL(request.url, 'https://x');
  response.setHeader('content-type', 'application/json');
  if (pathname === at)
    return response.end(JSON.stringify({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'wardle.example.com/v1', resources: [resource] }));
  if (pathname !== at + '/namespaces/default/flunders')
    return response.writeHead(404).end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, reason: 'NotFound', message: 'nothing there' }));
  if (searchParams.get('watch')) {
    response.write(JSON.stringify({ type: 'ADDED', object: flunder('watched-by-' + user) }) + '\\n');
    return;
  }
  const items = [flunder('seen-by-' + user)];
  response.end(JSON.stringify({ kind: 'FlunderList', apiVersion: 'wardle.example.com/v1', metadata: { resourceVersion: '1' }, items }));
}).listen(process.env.PORT);
`;

const deployment = (name: string, more: object = {}, volumes: object[] = []) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name, image: `${name}:1`, ports: [{ containerPort: 8080 }], ...more }],
        ...(volumes.length > 0 && { volumes }),
      },
    },
  },
});

test('kubectl reaches what is behind the API', {
  skip: missing('kubectl', 'openssl', 'curl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const file = (name: string) => join(shell.home, name);
  const build = async (name: string, program: string) => {
    mkdirSync(file(name));
    writeFileSync(join(file(name), 'main.mjs'), program);
    writeFileSync(
      join(file(name), 'package.json'),
      JSON.stringify({ name, main: 'main.mjs', type: 'module' }),
    );
    await shell.run(`selvage build ${file(name)} -t ${name}:1`);
  };
  const apply = async (name: string, manifest: object) => {
    writeFileSync(file(name), JSON.stringify(manifest));
    return shell.run(`kubectl apply -f ${file(name)}`);
  };
  const pods = '/api/v1/namespaces/default/pods';
  const services = '/api/v1/namespaces/default/services';

  await t.test('pods, Services and the node', async () => {
    await build('web', webProgram);
    await apply('web.json', deployment('web'));
    await shell.run('kubectl expose deployment web --port=80 --target-port=8080');
    await shell.run('kubectl rollout status deployment/web --timeout=120s');
    const pod = (
      await shell.run("kubectl get pods -l app=web -o jsonpath='{.items[0].metadata.name}'")
    ).trim();
    assert.equal(
      await shell.run(`kubectl get --raw ${pods}/${pod}:8080/proxy/a/b?c=d`),
      `${pod} GET /a/b?c=d`,
    );
    assert.equal(await shell.run(`kubectl get --raw ${pods}/${pod}/proxy/`), `${pod} GET /`);
    await eventually(async () =>
      assert.equal(await shell.run(`kubectl get --raw ${services}/web:80/proxy/x`), `${pod} GET /x`),
    );
    const [node] = (await shell.run('kubectl get nodes -o name')).trim().split('\n');
    const path = `/api/v1/${node!.replace('node/', 'nodes/')}/proxy`;
    assert.equal(await shell.run(`kubectl get --raw ${path}/healthz`), 'ok');
    assert.match(await shell.run(`kubectl get --raw ${path}/metrics`), /^# HELP/m);
    assert.match(
      await shell.run(`kubectl get --raw ${services}/web:81/proxy/`, { code: 1 }),
      /no service port 81 found for service "web"|currently unable to handle the request/,
    );
  });

  await t.test('a browser behind kubectl proxy', async () => {
    const proxy = shell.start('kubectl proxy --port=0');
    const [, address] = /Starting to serve on (\S+)/.exec(await proxy.until(/Starting to serve on \S+/))!;
    const base = `http://${address}${services}/web:80/proxy`;
    const pod = /^(\S+) POST \/form$/.exec(await shell.run(`curl -sS -X POST -d a=b ${base}/form`));
    assert.ok(pod);
    const prefix = `${services}/web:80/proxy`;
    assert.equal(await shell.run(`curl -sS ${base}/links`), `<a href="${prefix}/next">next</a>`);
    assert.equal(
      await shell.run(`curl -sS -o /dev/null -w '%{redirect_url}' ${base}/old`),
      `http://${address}${prefix}/new`,
    );
    assert.match(await shell.run('kubectl cluster-info'), /control plane.* is running at/i);
  });

  await t.test('names of a pod’s own lead where it says, by fetch and by http', async () => {
    const ip = (await shell.run("kubectl get service web -o jsonpath='{.spec.clusterIP}'")).trim();
    await apply('aliased.json', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'aliased' },
      spec: {
        terminationGracePeriodSeconds: 1,
        hostAliases: [{ ip, hostnames: ['Front.example', 'front'] }],
        containers: [{ name: 'main', image: 'web:1' }],
      },
    });
    await shell.run('kubectl wait --for=condition=Ready pod/aliased --timeout=120s');
    for (const name of ['front.example', 'FRONT']) {
      await eventually(async () =>
        assert.match(
          await shell.run(`kubectl exec aliased -- wget -qO- http://${name}/z`),
          /^web-\S+ GET \/z/,
        ),
      );
    }
    const script = 'http.get("http://front/y", (r) => r.pipe(process.stdout))';
    assert.match(
      await shell.run(`kubectl exec aliased -- node -e 'const http = require("http"); ${script}'`),
      /^web-\S+ GET \/y/,
    );
    await shell.run('kubectl delete pod aliased --grace-period=1 --wait=false');
  });

  await t.test('a load balancer that keeps to its nodes: address, node port and health', async () => {
    await shell.run(
      'kubectl expose deployment web --name=balanced --type=LoadBalancer --port=18080 --target-port=8080',
    );
    const local = '{"spec":{"externalTrafficPolicy":"Local"}}';
    await shell.run(`kubectl patch service balanced -p '${local}'`);
    const field = (path: string) => shell.run(`kubectl get service balanced -o jsonpath='{${path}}'`);
    const nodePort = await field('.spec.ports[0].nodePort');
    const healthPort = await field('.spec.healthCheckNodePort');
    const nodeIP = await shell.run(
      `kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}'`,
    );
    const curl = 'curl -sS --max-time 10';
    await eventually(async () =>
      assert.match(await shell.run(`${curl} http://${nodeIP}:${nodePort}/x`), / GET \/x$/),
    );
    await eventually(async () => {
      const [ip, port] = [
        await field('.status.loadBalancer.ingress[0].ip'),
        await field('.status.loadBalancer.ingress[0].ports[0].port'),
      ];
      assert.match(await shell.run(`${curl} http://${ip}:${port}/y`), / GET \/y$/);
    });
    const health = `curl -s -o ${file('health')} -w '%{http_code}' http://${nodeIP}:${healthPort}/healthz`;
    await eventually(async () => assert.equal(await shell.run(health), '200'));
    assert.equal(JSON.parse(readFileSync(file('health'), 'utf8')).localEndpoints, 1);
    await shell.run('kubectl scale deployment web --replicas=0');
    await eventually(async () => assert.equal(await shell.run(health), '503'));
    await shell.run('kubectl delete service balanced');
  });

  await t.test('another API server, which is a pod', async () => {
    await build('wardle', apiProgram);
    await shell.run(
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=wardle ` +
        `-addext subjectAltName=DNS:wardle.default.svc -keyout ${file('tls.key')} -out ${file('tls.crt')}`,
    );
    await shell.run(
      'kubectl get configmap -n kube-system extension-apiserver-authentication ' +
        `-o jsonpath='{.data.requestheader-client-ca-file}' > ${file('ca.crt')}`,
    );
    const files = ['tls.key', 'tls.crt', 'ca.crt'].map((name) => `--from-file=${file(name)}`);
    await shell.run(`kubectl create secret generic wardle-tls ${files.join(' ')}`);
    const volumeMounts = [{ name: 'tls', mountPath: '/tls' }];
    const volumes = [{ name: 'tls', secret: { secretName: 'wardle-tls' } }];
    await apply('wardle.json', deployment('wardle', { volumeMounts }, volumes));
    await shell.run('kubectl expose deployment wardle --port=443 --target-port=8080');
    await apply('api-service.json', {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1.wardle.example.com' },
      spec: {
        group: 'wardle.example.com',
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        service: { namespace: 'default', name: 'wardle' },
        caBundle: readFileSync(file('tls.crt')).toString('base64'),
      },
    });
    await shell.run('kubectl wait --for=condition=Available apiservice/v1.wardle.example.com --timeout=120s');
    assert.match(
      await shell.run('kubectl api-resources --api-group=wardle.example.com'),
      /flunders .*Flunder/,
    );
    assert.equal(
      await shell.run('kubectl get flunders -o name'),
      'flunder.wardle.example.com/seen-by-selvage-admin\n',
    );
    assert.match(
      await shell.run('kubectl get flunders --as=jane', { code: 1 }),
      /User "jane" cannot list resource "flunders"/,
    );
    const watch = shell.start('kubectl get flunders --watch-only -o name');
    await watch.until(/watched-by-selvage-admin/);
    watch.process.kill('SIGTERM');
    await watch.exited;
    await shell.run('kubectl scale deployment wardle --replicas=0');
    const isAvailable = `kubectl get apiservice v1.wardle.example.com -o jsonpath='{.status.conditions[0].reason}'`;
    await eventually(async () =>
      assert.match(await shell.run(isAvailable), /^(MissingEndpoints|EndpointsNotFound)$/),
    );
    assert.match(
      await shell.run('kubectl get flunders', { code: 1 }),
      /the server is currently unable to handle the request/,
    );
    await shell.run('kubectl delete apiservice v1.wardle.example.com');
    assert.match(
      await shell.run('kubectl get flunders', { code: 1 }),
      /the server doesn't have a resource type "flunders"|could not find the requested resource/,
    );
  });
});
