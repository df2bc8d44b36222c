import { describeDiscovery } from '../testing.ts'
import { dnsRegistry, kubernetesRegistry, postgresRegistry } from './support/registries.ts'

describeDiscovery('discovery on PostgreSQL', postgresRegistry)
describeDiscovery('discovery by DNS', dnsRegistry)
describeDiscovery('discovery by Kubernetes', kubernetesRegistry)
