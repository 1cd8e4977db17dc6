param names array = [ 'a', 'b' ]
param admin string

@secure()
param secrets object = { entries: [ { key: 'one', value: 'x' } ] }

module stores 'inner.bicep' = [for name in names: {
  name: 'store-${name}'
  params: { name: 'nw${name}', tls: name == 'a' ? 'TLS1_2' : 'TLS1_0' }
}]

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: 'nw-vault'
  location: 'westeurope'
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enablePurgeProtection: true
    networkAcls: { defaultAction: 'Allow', bypass: 'AzureServices' }
  }

  resource access 'accessPolicies@2023-07-01' = {
    name: 'add'
    properties: { accessPolicies: [ { objectId: admin, tenantId: subscription().tenantId, permissions: { secrets: [ 'get' ] } } ] }
  }
}

resource entries 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = [for entry in secrets.entries: {
  name: '${vault.name}/${entry.key}'
  properties: { value: entry.value }
}]

resource known 'Microsoft.Network/virtualNetworks@2023-06-01' existing = {
  name: 'nw-net'
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2023-06-01' = {
  parent: known
  name: 'inside'
  properties: { addressPrefix: cidrSubnet('10.0.0.0/16', 24, 3) }
}
