import { type Example, meta } from './example.ts';

const backend = { service: { name: 'web', port: { number: 80 } } };

export const networkingExamples: Example[] = [
  {
    kind: 'Ingress',
    apiVersion: 'networking.k8s.io/v1',
    object: {
      ...meta('web'),
      spec: {
        ingressClassName: 'edge',
        defaultBackend: { service: { name: 'fallback', port: { name: 'http' } } },
        rules: [
          {
            host: 'shop.example.com',
            http: {
              paths: [
                { path: '/cart', pathType: 'Prefix', backend },
                {
                  path: '/images',
                  pathType: 'ImplementationSpecific',
                  backend: { resource: { apiGroup: 'example.com', kind: 'Bucket', name: 'images' } },
                },
              ],
            },
          },
          { host: '*.example.com', http: { paths: [{ path: '/', pathType: 'Exact', backend }] } },
        ],
        tls: [{ hosts: ['shop.example.com', '*.example.com'], secretName: 'shop-tls' }],
      },
    },
    change: { spec: { ingressClassName: 'other' } },
    invalid: [
      [
        { spec: { defaultBackend: null, rules: null } },
        [
          'spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified',
        ],
      ],
      [
        { spec: { rules: [{ host: '10.0.0.1', http: { paths: [{ path: 'cart', backend }] } }] } },
        [
          'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
          'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified',
        ],
      ],
      [
        { spec: { rules: [{ http: { paths: [{ path: '/a//b', pathType: 'Exact', backend: {} }] } }] } },
        [
          'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required',
          'spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain \'//\'',
        ],
      ],
      [
        { spec: { defaultBackend: { service: { name: 'web', port: { name: 'http', number: 80 } } } } },
        ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number'],
      ],
    ],
  },
  {
    kind: 'IngressClass',
    apiVersion: 'networking.k8s.io/v1',
    object: {
      ...meta('edge'),
      spec: {
        controller: 'example.com/ingress',
        parameters: {
          apiGroup: 'example.com',
          kind: 'Settings',
          name: 'edge',
          namespace: 'default',
          scope: 'Namespace',
        },
      },
    },
    change: { spec: { parameters: { name: 'other' } } },
    invalid: [
      [{ spec: { controller: '' } }, ['spec.controller: Required value']],
      [
        { spec: { controller: 'ingress' } },
        ['spec.controller: Invalid value: "ingress": must be a domain-prefixed path (such as "acme.io/foo")'],
      ],
      [
        { spec: { parameters: { scope: 'Cluster' } } },
        ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
      ],
    ],
  },
  {
    kind: 'NetworkPolicy',
    apiVersion: 'networking.k8s.io/v1',
    object: {
      ...meta('db'),
      spec: {
        podSelector: { matchLabels: { role: 'db' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          {
            from: [
              { ipBlock: { cidr: '172.17.0.0/16', except: ['172.17.1.0/24'] } },
              { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
            ],
            ports: [{ protocol: 'TCP', port: 6379 }],
          },
        ],
        egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/24' } }], ports: [{ port: 32000, endPort: 32768 }] }],
      },
    },
    change: { spec: { policyTypes: ['Ingress'] } },
    invalid: [
      [
        { spec: { ingress: [{ from: [{}, { ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }] }] } },
        [
          'spec.ingress[0].from[0]: Required value: must specify a peer',
          'spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer',
        ],
      ],
      [
        { spec: { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.0/16'] } }] }] } },
        [
          'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "10.0.0.0/16": must be a strict subset of `cidr`',
        ],
      ],
      [
        { spec: { egress: [{ ports: [{ port: 'http', endPort: 9 }, { endPort: 9 }] }] } },
        [
          'spec.egress[0].ports[0].endPort: Invalid value: 9: may not be specified when `port` is non-numeric',
          'spec.egress[0].ports[1].endPort: Invalid value: 9: may not be specified when `port` is not specified',
        ],
      ],
      [
        { spec: { policyTypes: ['Inward'] } },
        ['spec.policyTypes[0]: Unsupported value: "Inward": supported values: "Ingress", "Egress"'],
      ],
    ],
  },
  {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    object: {
      ...meta('web-1', { labels: { 'kubernetes.io/service-name': 'web' } }),
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.1.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: 'a',
          nodeName: 'n1',
          zone: 'z1',
          hints: { forZones: [{ name: 'z1' }] },
          targetRef: { kind: 'Pod', name: 'web-1', namespace: 'default' },
        },
      ],
      ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
    },
    change: { ports: [{ name: 'http', port: 81, protocol: 'TCP' }] },
    invalid: [
      [
        { addressType: 'Odd' },
        ['addressType: Unsupported value: "Odd": supported values: "FQDN", "IPv4", "IPv6"'],
      ],
      [
        {
          ports: [
            { name: 'a', port: 1 },
            { name: 'a', port: 2 },
          ],
        },
        ['ports[1].name: Duplicate value: "a"'],
      ],
    ],
  },
];
