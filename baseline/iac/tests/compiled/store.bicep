param label string
param behind string?

resource store 'Microsoft.DocumentDB/databaseAccounts@2024-05-15' = {
  name: 'cosmos-${label}'
  location: 'westeurope'
  properties: {
    databaseAccountOfferType: 'Standard'
    publicNetworkAccess: empty(behind) ? 'Enabled' : 'Disabled'
  }
}

output id string = store.name
output label string = label
