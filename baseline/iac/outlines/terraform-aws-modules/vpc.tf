# A network: subnets of several kinds with their route tables, gateways, ACLs and flow log. Endpoints are made by a part of the module that is
# called by itself; those that versions before 3.0 made on inputs are here for S3 and DynamoDB only.
#
# Never writes aws_default_network_acl: vpc_id
# Never writes aws_network_acl: egress, ingress
# Never writes aws_route_table: route
# Never writes aws_default_route_table: vpc_id
# Never writes aws_default_security_group: description, name
# Never writes aws_default_vpc: cidr_block
# Never writes aws_flow_log: eni_id, subnet_id
# Never writes aws_eip: instance, network_interface
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration, path
# Never writes aws_vpc_endpoint: policy, subnet_ids, vpc_endpoint_type
# Never writes aws_vpc_block_public_access_options: enabled, http_tokens, state
# Never declares: anything else

variable "version" {}

locals {
  # 4.0 took charge of the default group, ACL and route table, and gives no public addresses where nothing is said.
  before  = var.version < 40000
  longest = max(length(var.private_subnets), length(var.elasticache_subnets), length(var.database_subnets), length(var.redshift_subnets))
  nats    = var.single_nat_gateway ? 1 : var.one_nat_gateway_per_az ? length(var.azs) : local.longest
  vpc_id  = try(aws_vpc.this[0].id, "")
}

variable "create_vpc" { default = true }
variable "name" { default = "" }
variable "cidr" { default = "10.0.0.0/16" }
variable "azs" { default = [] }
variable "tags" { default = {} }
variable "vpc_block_public_access_options" { default = {} }
variable "vpc_tags" { default = {} }
variable "secondary_cidr_blocks" { default = [] }
variable "enable_ipv6" { default = false }
variable "public_subnets" { default = [] }
variable "private_subnets" { default = [] }
variable "database_subnets" { default = [] }
variable "redshift_subnets" { default = [] }
variable "elasticache_subnets" { default = [] }
variable "intra_subnets" { default = [] }
variable "outpost_subnets" { default = [] }
variable "outpost_az" { default = null }
variable "map_public_ip_on_launch" { default = null }
variable "create_igw" { default = true }
variable "enable_nat_gateway" { default = false }
variable "single_nat_gateway" { default = false }
variable "one_nat_gateway_per_az" { default = false }
variable "reuse_nat_ips" { default = false }
variable "external_nat_ip_ids" { default = [] }
variable "nat_gateway_destination_cidr_block" { default = "0.0.0.0/0" }
variable "create_private_nat_gateway_route" { default = true }
variable "create_multiple_public_route_tables" { default = false }
variable "create_multiple_intra_route_tables" { default = false }
variable "create_database_subnet_route_table" { default = false }
variable "create_database_internet_gateway_route" { default = false }
variable "create_database_nat_gateway_route" { default = false }
variable "create_redshift_subnet_route_table" { default = false }
variable "create_elasticache_subnet_route_table" { default = false }
variable "enable_public_redshift" { default = false }
variable "manage_default_vpc" { default = false }
variable "default_vpc_tags" { default = {} }
variable "manage_default_security_group" { default = null }
variable "default_security_group_ingress" { default = [] }
variable "default_security_group_egress" { default = [] }
variable "default_security_group_tags" { default = {} }
variable "manage_default_network_acl" { default = null }
variable "default_network_acl_tags" { default = {} }
variable "manage_default_route_table" { default = null }
variable "default_route_table_routes" { default = [] }
variable "default_route_table_tags" { default = {} }
variable "igw_tags" { default = {} }
variable "nat_eip_tags" { default = {} }
variable "enable_flow_log" { default = false }
variable "flow_log_destination_type" { default = "cloud-watch-logs" }
variable "flow_log_destination_arn" { default = "" }
variable "flow_log_traffic_type" { default = "ALL" }
variable "create_flow_log_cloudwatch_log_group" { default = false }
variable "create_flow_log_cloudwatch_iam_role" { default = false }
variable "flow_log_cloudwatch_log_group_name_prefix" { default = "/aws/vpc-flow-log/" }
variable "flow_log_cloudwatch_log_group_retention_in_days" { default = null }
variable "flow_log_cloudwatch_log_group_kms_key_id" { default = null }
variable "flow_log_cloudwatch_iam_role_arn" { default = "" }
variable "vpc_flow_log_permissions_boundary" { default = null }
variable "vpc_flow_log_tags" { default = {} }
variable "enable_s3_endpoint" { default = false }
variable "enable_dynamodb_endpoint" { default = false }
variable "default_network_acl_ingress" { default = [{ rule_no = 100, action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }, { rule_no = 101, action = "allow", from_port = 0, to_port = 0, protocol = "-1", ipv6_cidr_block = "::/0" }] }
variable "default_network_acl_egress" { default = [{ rule_no = 100, action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }, { rule_no = 101, action = "allow", from_port = 0, to_port = 0, protocol = "-1", ipv6_cidr_block = "::/0" }] }
variable "public_subnet_tags" { default = {} }
variable "public_route_table_tags" { default = {} }
variable "public_acl_tags" { default = {} }
variable "public_dedicated_network_acl" { default = false }
variable "public_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "public_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "private_subnet_tags" { default = {} }
variable "private_route_table_tags" { default = {} }
variable "private_acl_tags" { default = {} }
variable "private_dedicated_network_acl" { default = false }
variable "private_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "private_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "database_subnet_tags" { default = {} }
variable "database_route_table_tags" { default = {} }
variable "database_acl_tags" { default = {} }
variable "database_dedicated_network_acl" { default = false }
variable "database_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "database_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "redshift_subnet_tags" { default = {} }
variable "redshift_route_table_tags" { default = {} }
variable "redshift_acl_tags" { default = {} }
variable "redshift_dedicated_network_acl" { default = false }
variable "redshift_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "redshift_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "elasticache_subnet_tags" { default = {} }
variable "elasticache_route_table_tags" { default = {} }
variable "elasticache_acl_tags" { default = {} }
variable "elasticache_dedicated_network_acl" { default = false }
variable "elasticache_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "elasticache_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "intra_subnet_tags" { default = {} }
variable "intra_route_table_tags" { default = {} }
variable "intra_acl_tags" { default = {} }
variable "intra_dedicated_network_acl" { default = false }
variable "intra_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "intra_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "outpost_subnet_tags" { default = {} }
variable "outpost_acl_tags" { default = {} }
variable "outpost_dedicated_network_acl" { default = false }
variable "outpost_inbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }
variable "outpost_outbound_acl_rules" { default = [{ rule_number = 100, rule_action = "allow", from_port = 0, to_port = 0, protocol = "-1", cidr_block = "0.0.0.0/0" }] }

# The region an endpoint's service is named by.
variable "region_of_the_provider" {}

resource "aws_vpc" "this" {
  count = var.create_vpc ? 1 : 0

  cidr_block = var.cidr
  tags       = merge({ Name = var.name }, var.tags, var.vpc_tags)
}

resource "aws_vpc_block_public_access_options" "this" {
  for_each = { for k, v in { this = var.vpc_block_public_access_options } : k => v if var.create_vpc && length(v) > 0 }

  internet_gateway_block_mode = try(each.value["internet_gateway_block_mode"], null)
}

resource "aws_default_vpc" "this" {
  count = var.manage_default_vpc ? 1 : 0

  tags = merge(var.tags, var.default_vpc_tags)
}

resource "aws_default_security_group" "this" {
  count = var.create_vpc && coalesce(var.manage_default_security_group, !local.before) ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, var.default_security_group_tags)

  dynamic "ingress" {
    for_each = var.default_security_group_ingress
    content {
      self             = try(ingress.value.self, null)
      cidr_blocks      = compact(split(",", try(ingress.value.cidr_blocks, "")))
      ipv6_cidr_blocks = compact(split(",", try(ingress.value.ipv6_cidr_blocks, "")))
      prefix_list_ids  = compact(split(",", try(ingress.value.prefix_list_ids, "")))
      security_groups  = compact(split(",", try(ingress.value.security_groups, "")))
      description      = try(ingress.value.description, null)
      from_port        = try(ingress.value.from_port, 0)
      to_port          = try(ingress.value.to_port, 0)
      protocol         = try(ingress.value.protocol, "-1")
    }
  }
  dynamic "egress" {
    for_each = var.default_security_group_egress
    content {
      self             = try(egress.value.self, null)
      cidr_blocks      = compact(split(",", try(egress.value.cidr_blocks, "")))
      ipv6_cidr_blocks = compact(split(",", try(egress.value.ipv6_cidr_blocks, "")))
      prefix_list_ids  = compact(split(",", try(egress.value.prefix_list_ids, "")))
      security_groups  = compact(split(",", try(egress.value.security_groups, "")))
      description      = try(egress.value.description, null)
      from_port        = try(egress.value.from_port, 0)
      to_port          = try(egress.value.to_port, 0)
      protocol         = try(egress.value.protocol, "-1")
    }
  }
}

resource "aws_internet_gateway" "this" {
  count = var.create_vpc && var.create_igw && length(var.public_subnets) > 0 ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = var.name }, var.tags, var.igw_tags)
}

resource "aws_eip" "nat" {
  count = var.create_vpc && var.enable_nat_gateway && !var.reuse_nat_ips ? local.nats : 0

  tags = merge(var.tags, var.nat_eip_tags)
}

resource "aws_nat_gateway" "this" {
  count = var.create_vpc && var.enable_nat_gateway ? local.nats : 0

  allocation_id = element(var.reuse_nat_ips ? var.external_nat_ip_ids : aws_eip.nat[*].id, var.single_nat_gateway ? 0 : count.index)
  subnet_id     = element(aws_subnet.public[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_default_route_table" "default" {
  count = var.create_vpc && coalesce(var.manage_default_route_table, !local.before) ? 1 : 0

  default_route_table_id = aws_vpc.this[0].default_route_table_id
  tags                   = merge(var.tags, var.default_route_table_tags)

  dynamic "route" {
    for_each = var.default_route_table_routes
    content {
      cidr_block                = try(route.value.cidr_block, null)
      ipv6_cidr_block           = try(route.value.ipv6_cidr_block, null)
      egress_only_gateway_id    = try(route.value.egress_only_gateway_id, null)
      gateway_id                = try(route.value.gateway_id, null)
      nat_gateway_id            = try(route.value.nat_gateway_id, null)
      network_interface_id      = try(route.value.network_interface_id, null)
      transit_gateway_id        = try(route.value.transit_gateway_id, null)
      vpc_endpoint_id           = try(route.value.vpc_endpoint_id, null)
      vpc_peering_connection_id = try(route.value.vpc_peering_connection_id, null)
    }
  }
}

resource "aws_route_table" "public" {
  count = var.create_vpc && length(var.public_subnets) > 0 ? (var.create_multiple_public_route_tables ? length(var.public_subnets) : 1) : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-public" }, var.tags, var.public_route_table_tags)
}

resource "aws_route_table" "private" {
  count = var.create_vpc && local.longest > 0 && (local.before || length(var.private_subnets) > 0) ? local.nats : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-private" }, var.tags, var.private_route_table_tags)
}

resource "aws_route_table" "database" {
  count = var.create_vpc && var.create_database_subnet_route_table && length(var.database_subnets) > 0 ? (var.single_nat_gateway || var.create_database_internet_gateway_route ? 1 : length(var.database_subnets)) : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-database" }, var.tags, var.database_route_table_tags)
}

resource "aws_route_table" "redshift" {
  count = var.create_vpc && var.create_redshift_subnet_route_table && length(var.redshift_subnets) > 0 ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-redshift" }, var.tags, var.redshift_route_table_tags)
}

resource "aws_route_table" "elasticache" {
  count = var.create_vpc && var.create_elasticache_subnet_route_table && length(var.elasticache_subnets) > 0 ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-elasticache" }, var.tags, var.elasticache_route_table_tags)
}

resource "aws_route_table" "intra" {
  count = var.create_vpc && length(var.intra_subnets) > 0 ? (var.create_multiple_intra_route_tables ? length(var.intra_subnets) : 1) : 0

  vpc_id = local.vpc_id
  tags   = merge({ Name = "${var.name}-intra" }, var.tags, var.intra_route_table_tags)
}

resource "aws_route" "public_internet_gateway" {
  count = var.create_vpc && var.create_igw && length(var.public_subnets) > 0 ? length(aws_route_table.public) : 0

  route_table_id         = aws_route_table.public[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route" "public_internet_gateway_ipv6" {
  count = var.create_vpc && var.create_igw && var.enable_ipv6 && length(var.public_subnets) > 0 ? length(aws_route_table.public) : 0

  route_table_id              = aws_route_table.public[count.index].id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.this[0].id
}

resource "aws_route" "private_nat_gateway" {
  count = var.create_vpc && var.enable_nat_gateway && var.create_private_nat_gateway_route ? length(aws_route_table.private) : 0

  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = var.nat_gateway_destination_cidr_block
  nat_gateway_id         = element(aws_nat_gateway.this[*].id, count.index)
}

resource "aws_route" "database_internet_gateway" {
  count = var.create_vpc && var.create_igw && var.create_database_subnet_route_table && length(var.database_subnets) > 0 && var.create_database_internet_gateway_route && !var.create_database_nat_gateway_route ? 1 : 0

  route_table_id         = aws_route_table.database[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route" "database_nat_gateway" {
  count = var.create_vpc && var.create_database_nat_gateway_route && !var.create_database_internet_gateway_route && var.enable_nat_gateway ? length(aws_route_table.database) : 0

  route_table_id         = aws_route_table.database[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = element(aws_nat_gateway.this[*].id, count.index)
}

resource "aws_subnet" "public" {
  count = var.create_vpc && (!var.one_nat_gateway_per_az || length(var.public_subnets) >= length(var.azs)) ? length(var.public_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.public_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = coalesce(var.map_public_ip_on_launch, local.before)
  tags                    = merge(var.tags, var.public_subnet_tags)
}

resource "aws_route_table_association" "public" {
  count = length(aws_subnet.public)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = element(aws_route_table.public[*].id, count.index)
}

resource "aws_network_acl" "public" {
  count = var.create_vpc && var.public_dedicated_network_acl && length(var.public_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.public[*].id
  tags       = merge({ Name = "${var.name}-public" }, var.tags, var.public_acl_tags)
}

resource "aws_network_acl_rule" "public_inbound" {
  count = length(aws_network_acl.public) > 0 ? length(var.public_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.public[0].id
  egress          = false
  rule_number     = var.public_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.public_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.public_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.public_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.public_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.public_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.public_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "public_outbound" {
  count = length(aws_network_acl.public) > 0 ? length(var.public_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.public[0].id
  egress          = true
  rule_number     = var.public_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.public_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.public_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.public_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.public_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.public_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.public_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "private" {
  count = var.create_vpc ? length(var.private_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.private_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.private_subnet_tags)
}

resource "aws_route_table_association" "private" {
  count = length(aws_subnet.private)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = element(aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "private" {
  count = var.create_vpc && var.private_dedicated_network_acl && length(var.private_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.private[*].id
  tags       = merge({ Name = "${var.name}-private" }, var.tags, var.private_acl_tags)
}

resource "aws_network_acl_rule" "private_inbound" {
  count = length(aws_network_acl.private) > 0 ? length(var.private_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.private[0].id
  egress          = false
  rule_number     = var.private_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.private_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.private_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.private_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.private_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.private_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.private_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "private_outbound" {
  count = length(aws_network_acl.private) > 0 ? length(var.private_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.private[0].id
  egress          = true
  rule_number     = var.private_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.private_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.private_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.private_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.private_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.private_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.private_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "database" {
  count = var.create_vpc ? length(var.database_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.database_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.database_subnet_tags)
}

resource "aws_route_table_association" "database" {
  count = length(aws_subnet.database)

  subnet_id      = aws_subnet.database[count.index].id
  route_table_id = element(length(aws_route_table.database) > 0 ? aws_route_table.database[*].id : aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "database" {
  count = var.create_vpc && var.database_dedicated_network_acl && length(var.database_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.database[*].id
  tags       = merge({ Name = "${var.name}-database" }, var.tags, var.database_acl_tags)
}

resource "aws_network_acl_rule" "database_inbound" {
  count = length(aws_network_acl.database) > 0 ? length(var.database_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.database[0].id
  egress          = false
  rule_number     = var.database_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.database_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.database_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.database_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.database_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.database_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.database_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "database_outbound" {
  count = length(aws_network_acl.database) > 0 ? length(var.database_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.database[0].id
  egress          = true
  rule_number     = var.database_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.database_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.database_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.database_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.database_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.database_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.database_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "redshift" {
  count = var.create_vpc ? length(var.redshift_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.redshift_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.redshift_subnet_tags)
}

resource "aws_route_table_association" "redshift" {
  count = length(aws_subnet.redshift)

  subnet_id      = aws_subnet.redshift[count.index].id
  route_table_id = element(length(aws_route_table.redshift) > 0 ? aws_route_table.redshift[*].id : var.enable_public_redshift ? aws_route_table.public[*].id : aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "redshift" {
  count = var.create_vpc && var.redshift_dedicated_network_acl && length(var.redshift_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.redshift[*].id
  tags       = merge({ Name = "${var.name}-redshift" }, var.tags, var.redshift_acl_tags)
}

resource "aws_network_acl_rule" "redshift_inbound" {
  count = length(aws_network_acl.redshift) > 0 ? length(var.redshift_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.redshift[0].id
  egress          = false
  rule_number     = var.redshift_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.redshift_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.redshift_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.redshift_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.redshift_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.redshift_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.redshift_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "redshift_outbound" {
  count = length(aws_network_acl.redshift) > 0 ? length(var.redshift_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.redshift[0].id
  egress          = true
  rule_number     = var.redshift_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.redshift_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.redshift_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.redshift_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.redshift_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.redshift_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.redshift_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "elasticache" {
  count = var.create_vpc ? length(var.elasticache_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.elasticache_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.elasticache_subnet_tags)
}

resource "aws_route_table_association" "elasticache" {
  count = length(aws_subnet.elasticache)

  subnet_id      = aws_subnet.elasticache[count.index].id
  route_table_id = element(length(aws_route_table.elasticache) > 0 ? aws_route_table.elasticache[*].id : aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "elasticache" {
  count = var.create_vpc && var.elasticache_dedicated_network_acl && length(var.elasticache_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.elasticache[*].id
  tags       = merge({ Name = "${var.name}-elasticache" }, var.tags, var.elasticache_acl_tags)
}

resource "aws_network_acl_rule" "elasticache_inbound" {
  count = length(aws_network_acl.elasticache) > 0 ? length(var.elasticache_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.elasticache[0].id
  egress          = false
  rule_number     = var.elasticache_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.elasticache_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.elasticache_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.elasticache_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.elasticache_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.elasticache_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.elasticache_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "elasticache_outbound" {
  count = length(aws_network_acl.elasticache) > 0 ? length(var.elasticache_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.elasticache[0].id
  egress          = true
  rule_number     = var.elasticache_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.elasticache_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.elasticache_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.elasticache_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.elasticache_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.elasticache_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.elasticache_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "intra" {
  count = var.create_vpc ? length(var.intra_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.intra_subnets[count.index]
  availability_zone       = try(element(var.azs, count.index), null)
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.intra_subnet_tags)
}

resource "aws_route_table_association" "intra" {
  count = length(aws_subnet.intra)

  subnet_id      = aws_subnet.intra[count.index].id
  route_table_id = element(aws_route_table.intra[*].id, count.index)
}

resource "aws_network_acl" "intra" {
  count = var.create_vpc && var.intra_dedicated_network_acl && length(var.intra_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.intra[*].id
  tags       = merge({ Name = "${var.name}-intra" }, var.tags, var.intra_acl_tags)
}

resource "aws_network_acl_rule" "intra_inbound" {
  count = length(aws_network_acl.intra) > 0 ? length(var.intra_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.intra[0].id
  egress          = false
  rule_number     = var.intra_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.intra_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.intra_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.intra_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.intra_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.intra_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.intra_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "intra_outbound" {
  count = length(aws_network_acl.intra) > 0 ? length(var.intra_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.intra[0].id
  egress          = true
  rule_number     = var.intra_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.intra_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.intra_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.intra_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.intra_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.intra_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.intra_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_subnet" "outpost" {
  count = var.create_vpc ? length(var.outpost_subnets) : 0

  vpc_id                  = local.vpc_id
  cidr_block              = var.outpost_subnets[count.index]
  availability_zone       = var.outpost_az
  map_public_ip_on_launch = null
  tags                    = merge(var.tags, var.outpost_subnet_tags)
}

resource "aws_route_table_association" "outpost" {
  count = length(aws_subnet.outpost)

  subnet_id      = aws_subnet.outpost[count.index].id
  route_table_id = element(aws_route_table.private[*].id, var.single_nat_gateway ? 0 : count.index)
}

resource "aws_network_acl" "outpost" {
  count = var.create_vpc && var.outpost_dedicated_network_acl && length(var.outpost_subnets) > 0 ? 1 : 0

  vpc_id     = local.vpc_id
  subnet_ids = aws_subnet.outpost[*].id
  tags       = merge({ Name = "${var.name}-outpost" }, var.tags, var.outpost_acl_tags)
}

resource "aws_network_acl_rule" "outpost_inbound" {
  count = length(aws_network_acl.outpost) > 0 ? length(var.outpost_inbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.outpost[0].id
  egress          = false
  rule_number     = var.outpost_inbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.outpost_inbound_acl_rules[count.index]["rule_action"]
  protocol        = var.outpost_inbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.outpost_inbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.outpost_inbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.outpost_inbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.outpost_inbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_network_acl_rule" "outpost_outbound" {
  count = length(aws_network_acl.outpost) > 0 ? length(var.outpost_outbound_acl_rules) : 0

  network_acl_id  = aws_network_acl.outpost[0].id
  egress          = true
  rule_number     = var.outpost_outbound_acl_rules[count.index]["rule_number"]
  rule_action     = var.outpost_outbound_acl_rules[count.index]["rule_action"]
  protocol        = var.outpost_outbound_acl_rules[count.index]["protocol"]
  from_port       = try(var.outpost_outbound_acl_rules[count.index]["from_port"], null)
  to_port         = try(var.outpost_outbound_acl_rules[count.index]["to_port"], null)
  cidr_block      = try(var.outpost_outbound_acl_rules[count.index]["cidr_block"], null)
  ipv6_cidr_block = try(var.outpost_outbound_acl_rules[count.index]["ipv6_cidr_block"], null)
}

resource "aws_default_network_acl" "this" {
  count = var.create_vpc && coalesce(var.manage_default_network_acl, !local.before) ? 1 : 0

  default_network_acl_id = aws_vpc.this[0].default_network_acl_id
  tags                   = merge(var.tags, var.default_network_acl_tags)

  # Those of no other ACL.
  subnet_ids = concat(
    var.public_dedicated_network_acl ? [] : aws_subnet.public[*].id,
    var.private_dedicated_network_acl ? [] : aws_subnet.private[*].id,
    var.database_dedicated_network_acl ? [] : aws_subnet.database[*].id,
    var.redshift_dedicated_network_acl ? [] : aws_subnet.redshift[*].id,
    var.elasticache_dedicated_network_acl ? [] : aws_subnet.elasticache[*].id,
    var.intra_dedicated_network_acl ? [] : aws_subnet.intra[*].id,
    var.outpost_dedicated_network_acl ? [] : aws_subnet.outpost[*].id,
  )

  dynamic "ingress" {
    for_each = var.default_network_acl_ingress
    content {
      action          = ingress.value.action
      cidr_block      = try(ingress.value.cidr_block, null)
      ipv6_cidr_block = try(ingress.value.ipv6_cidr_block, null)
      from_port       = ingress.value.from_port
      to_port         = ingress.value.to_port
      protocol        = ingress.value.protocol
      rule_no         = ingress.value.rule_no
    }
  }
  dynamic "egress" {
    for_each = var.default_network_acl_egress
    content {
      action          = egress.value.action
      cidr_block      = try(egress.value.cidr_block, null)
      ipv6_cidr_block = try(egress.value.ipv6_cidr_block, null)
      from_port       = egress.value.from_port
      to_port         = egress.value.to_port
      protocol        = egress.value.protocol
      rule_no         = egress.value.rule_no
    }
  }
}

locals {
  flow_log = var.create_vpc && var.enable_flow_log
  to_logs  = local.flow_log && var.flow_log_destination_type == "cloud-watch-logs"
}

resource "aws_flow_log" "this" {
  count = local.flow_log ? 1 : 0

  log_destination_type = var.flow_log_destination_type
  log_destination      = local.to_logs && var.create_flow_log_cloudwatch_log_group ? aws_cloudwatch_log_group.flow_log[0].arn : var.flow_log_destination_arn
  traffic_type         = var.flow_log_traffic_type
  vpc_id               = local.vpc_id
  tags                 = merge(var.tags, var.vpc_flow_log_tags)
}

resource "aws_cloudwatch_log_group" "flow_log" {
  count = local.to_logs && var.create_flow_log_cloudwatch_log_group ? 1 : 0

  name              = "${var.flow_log_cloudwatch_log_group_name_prefix}${local.vpc_id}"
  retention_in_days = var.flow_log_cloudwatch_log_group_retention_in_days
  kms_key_id        = var.flow_log_cloudwatch_log_group_kms_key_id
  tags              = merge(var.tags, var.vpc_flow_log_tags)
}

data "aws_iam_policy_document" "flow_log_cloudwatch_assume_role" {
  statement {
    sid     = "AWSVPCFlowLogsAssumeRole"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

# What the role may write to differs between versions.
variable "policy_of_the_flow_log" {}

resource "aws_iam_role" "vpc_flow_log_cloudwatch" {
  count = local.to_logs && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  name                 = null
  name_prefix          = "vpc-flow-log-role-"
  assume_role_policy   = data.aws_iam_policy_document.flow_log_cloudwatch_assume_role.json
  permissions_boundary = var.vpc_flow_log_permissions_boundary
  tags                 = merge(var.tags, var.vpc_flow_log_tags)
}

resource "aws_iam_role_policy_attachment" "vpc_flow_log_cloudwatch" {
  count = local.to_logs && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  role       = aws_iam_role.vpc_flow_log_cloudwatch[0].name
  policy_arn = aws_iam_policy.vpc_flow_log_cloudwatch[0].arn
}

resource "aws_iam_policy" "vpc_flow_log_cloudwatch" {
  count = local.to_logs && var.create_flow_log_cloudwatch_iam_role ? 1 : 0

  name        = null
  name_prefix = "vpc-flow-log-to-cloudwatch-"
  policy      = var.policy_of_the_flow_log
  tags        = merge(var.tags, var.vpc_flow_log_tags)
}

resource "aws_vpc_endpoint" "s3" {
  count = var.create_vpc && var.version < 30000 && var.enable_s3_endpoint ? 1 : 0

  vpc_id       = local.vpc_id
  service_name = "com.amazonaws.${var.region_of_the_provider}.s3"
  tags         = var.tags
}

resource "aws_vpc_endpoint" "dynamodb" {
  count = var.create_vpc && var.version < 30000 && var.enable_dynamodb_endpoint ? 1 : 0

  vpc_id       = local.vpc_id
  service_name = "com.amazonaws.${var.region_of_the_provider}.dynamodb"
  tags         = var.tags
}

output "vpc_id" { value = try(aws_vpc.this[0].id, null) }
output "vpc_arn" { value = try(aws_vpc.this[0].arn, null) }
output "vpc_cidr_block" { value = try(aws_vpc.this[0].cidr_block, null) }
output "default_security_group_id" { value = try(aws_vpc.this[0].default_security_group_id, null) }
output "azs" { value = var.azs }
output "name" { value = var.name }
output "igw_id" { value = try(aws_internet_gateway.this[0].id, null) }
output "natgw_ids" { value = aws_nat_gateway.this[*].id }
output "public_subnets" { value = aws_subnet.public[*].id }
output "public_subnets_cidr_blocks" { value = aws_subnet.public[*].cidr_block }
output "public_route_table_ids" { value = aws_route_table.public[*].id }
output "private_subnets" { value = aws_subnet.private[*].id }
output "private_subnets_cidr_blocks" { value = aws_subnet.private[*].cidr_block }
output "private_route_table_ids" { value = aws_route_table.private[*].id }
output "database_subnets" { value = aws_subnet.database[*].id }
output "database_subnets_cidr_blocks" { value = aws_subnet.database[*].cidr_block }
output "database_route_table_ids" { value = aws_route_table.database[*].id }
output "redshift_subnets" { value = aws_subnet.redshift[*].id }
output "redshift_subnets_cidr_blocks" { value = aws_subnet.redshift[*].cidr_block }
output "redshift_route_table_ids" { value = aws_route_table.redshift[*].id }
output "elasticache_subnets" { value = aws_subnet.elasticache[*].id }
output "elasticache_subnets_cidr_blocks" { value = aws_subnet.elasticache[*].cidr_block }
output "elasticache_route_table_ids" { value = aws_route_table.elasticache[*].id }
output "intra_subnets" { value = aws_subnet.intra[*].id }
output "intra_subnets_cidr_blocks" { value = aws_subnet.intra[*].cidr_block }
output "intra_route_table_ids" { value = aws_route_table.intra[*].id }
output "outpost_subnets" { value = aws_subnet.outpost[*].id }
output "outpost_subnets_cidr_blocks" { value = aws_subnet.outpost[*].cidr_block }
