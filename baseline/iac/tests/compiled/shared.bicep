@export()
type regionType = {
  name: string
  zones: int[]?
  @minValue(1)
  replicas: int?
}

@export()
var offices = ['192.0.2.0/24', '198.51.100.7']

@export()
var marks = {
  owner: 'platform'
}

@export()
func shortName(prefix string, region string) string => '${prefix}${take(toLower(region), 6)}'
