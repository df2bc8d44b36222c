import type { IForbiddenRuleType } from 'dependency-cruiser'

/** The walls of ARCHITECTURE.md. tools/fixtures/architecture breaks each of them and must be reported. */

const tests = '/test/|\\.test\\.ts$'
const product = '^(contracts|domain|event-log|postgres-server|service-host|services|apps)/'

export const allowedExtensions = ['.ts', '.js', '.json']

export const forbidden: IForbiddenRuleType[] = [
  {
    name: 'domain-is-pure',
    comment: 'domain/ takes data and returns data: it knows the contracts and nothing else, neither packages nor Node.',
    severity: 'error',
    from: { path: '^domain/', pathNot: tests },
    to: { pathNot: '^(domain|contracts)/' },
  },
  {
    name: 'contracts-stand-alone',
    comment: 'A shape that crosses walls must not drag what lies behind one of them along.',
    severity: 'error',
    from: { path: '^contracts/', pathNot: tests },
    to: { pathNot: '^contracts/|^node_modules/typebox/' },
  },
  {
    name: 'event-log-knows-no-user',
    comment: 'The log carries opaque records.',
    severity: 'error',
    from: { path: '^event-log/', pathNot: tests },
    to: { path: '^(services|apps|domain|service-host|postgres-server|contracts|bench|tools)/' },
  },
  {
    name: 'service-host-knows-no-service',
    comment: 'What every service stands on cannot know any of them.',
    severity: 'error',
    from: { path: '^service-host/', pathNot: tests },
    to: { path: '^(services|apps|domain|bench|tools)/' },
  },
  {
    name: 'services-apart',
    comment: 'Services talk through the log or their public API.',
    severity: 'error',
    from: { path: '^services/([^/]+)/' },
    to: { path: '^services/', pathNot: '^services/$1/' },
  },
  {
    name: 'apps-spawn-services',
    comment: 'The supervisor runs services as processes of their own; importing one would join their fates.',
    severity: 'error',
    from: { path: '^(apps|postgres-server)/', pathNot: tests },
    to: { path: '^services/' },
  },
  {
    name: 'services-know-no-app',
    comment: 'A service runs without what starts it.',
    severity: 'error',
    from: { path: '^services/', pathNot: tests },
    to: { path: '^(apps|postgres-server|bench|tools)/' },
  },
  {
    name: 'product-without-tests',
    comment: 'What runs in production does not load test code.',
    severity: 'error',
    from: { path: product, pathNot: `${tests}|/testing\\.ts$` },
    to: { path: `^(test|simulator)/|${tests}|^node_modules/(vitest|fast-check|smtp-server)/` },
  },
  {
    name: 'no-cycle',
    comment: 'Modules that need each other cannot be understood or tested one at a time.',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'resolvable',
    comment: 'An import that leads nowhere hides a dependency from the other rules.',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
]
