param name string
param tls string = 'TLS1_2'

resource account 'Microsoft.Storage/storageAccounts@2023-01-01' = {
  name: name
  location: resourceGroup().location
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
  properties: { minimumTlsVersion: tls, supportsHttpsTrafficOnly: true }
}

output id string = account.id
