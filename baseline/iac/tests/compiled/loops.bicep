param stem string = 'nw'
param location string = 'westeurope'
param zones array = [
  { name: 'red', open: true }
  { name: 'blue', open: false }
]
param logs bool = true

var widths = [for n in range(1, 3): n * 10]

resource accounts 'Microsoft.Storage/storageAccounts@2023-01-01' = [for (zone, i) in zones: {
  name: '${stem}${zone.name}${i}'
  location: location
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
  properties: {
    allowBlobPublicAccess: zone.open
    minimumTlsVersion: zone.open ? 'TLS1_0' : 'TLS1_2'
  }
}]

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-01-01' = [for i in range(0, length(zones)): {
  parent: accounts[i]
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: widths[i] }
  }
}]

resource odd 'Microsoft.Network/dnsZones@2018-05-01' = [for n in range(0, 6): if (n % 2 == 1) {
  name: 'zone${n}.example'
  location: 'global'
}]

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' = if (logs) {
  name: '${stem}-logs'
  location: location
  properties: { retentionInDays: 30 }
}

resource none 'Microsoft.OperationalInsights/workspaces@2022-10-01' = if (!logs) {
  name: '${stem}-none'
  location: location
}

@batchSize(1)
resource guards 'Microsoft.Authorization/locks@2020-05-01' = [for n in range(0, 2): {
  scope: accounts[n]
  name: 'guard-${n}'
  properties: { level: n == 0 ? 'CanNotDelete' : 'ReadOnly' }
}]
