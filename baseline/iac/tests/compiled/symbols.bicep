import { regionType, shortName } from 'shared.bicep'
import * as shared from 'shared.bicep'

param regions regionType[] = [
  { name: 'westeurope', zones: [1, 2], replicas: 2 }
  { name: 'northeurope' }
]
param settings {
  tier: ('Hot' | 'Cool')?
  rules: string[]?
}?
param tags object = { team: 'web' }
@secure()
param token string = ''

var names = map(regions, r => shortName('nw', r.name))
var byName = toObject(regions, r => r.name, r => r.?replicas ?? 1)
var wide = filter(regions, (r, i) => length(r.?zones ?? []) > 1 && i >= 0)
var total = reduce(map(regions, r => r.?replicas ?? 1), 0, (sum, n) => sum + n)
var ordered = sort(names, (a, b) => a > b)
var merged = { ...tags, stage: 'live', ...shared.marks }
var counted = map(regions, (r, i) => '${i}:${r.name}')

resource accounts 'Microsoft.Storage/storageAccounts@2023-05-01' = [
  for (region, i) in regions: {
    name: '${names[i]}sa'
    location: region.name
    kind: 'StorageV2'
    sku: { name: byName[region.name] > 1 ? 'Standard_GRS' : 'Standard_LRS' }
    tags: merged
    properties: {
      accessTier: settings.?tier ?? 'Hot'
      networkAcls: {
        defaultAction: 'Deny'
        ipRules: [for rule in (settings.?rules ?? shared.offices): { value: rule, action: 'Allow' }]
      }
    }
  }
]

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: 'nw-vault'
  scope: resourceGroup('shared')
}

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: 'nw-plan'
  location: regions[0]!.name
  sku: { name: 'P1v3', capacity: total }
}

resource site 'Microsoft.Web/sites@2023-12-01' = {
  name: last(ordered)!
  location: regions[^1].name
  properties: {
    serverFarmId: plan.id
    siteConfig: {
      appSettings: [
        { name: 'FIRST', value: accounts[0].properties.primaryEndpoints.blob }
        { name: 'NAMES', value: join(counted, ',') }
        { name: 'WIDE', value: string(length(wide)) }
        ...(empty(token) ? [] : [{ name: 'TOKEN', value: token }])
      ]
    }
  }

  resource config 'config' = {
    name: 'web'
    properties: { minTlsVersion: '1.2', notes: plan.name }
  }
}

module stores 'store.bicep' = [
  for (region, i) in regions: {
    name: 'store-${i}'
    params: {
      label: shortName('db', region.name)
      behind: i == 0 ? null : stores_before.outputs.id
    }
  }
]

module stores_before 'store.bicep' = {
  name: 'first-store'
  params: { label: 'zero' }
}

resource watch 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'watch'
  scope: site
  properties: {
    logs: [for i in range(0, length(regions)): { category: stores[i].outputs.label, enabled: true }]
    metrics: []
  }
}
