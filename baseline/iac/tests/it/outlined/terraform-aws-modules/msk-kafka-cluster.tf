module "readme" {
  source                     = "terraform-aws-modules/msk-kafka-cluster/aws"
  name                       = "example"
  kafka_version              = "3.5.1"
  number_of_broker_nodes     = 3
  broker_node_client_subnets = ["subnet-12345678"]
  broker_node_instance_type  = "kafka.t3.small"
  cloudwatch_logs_enabled    = true

  encryption_in_transit_client_broker = "TLS"
  encryption_in_transit_in_cluster    = true
  broker_node_connectivity_info       = { public_access = { type = "DISABLED" } }
  client_authentication               = { sasl = { scram = true }, tls = { certificate_authority_arns = ["arn:c"] } }
}

module "open" {
  source                              = "terraform-aws-modules/msk-kafka-cluster/aws"
  version                             = "~> 2.0"
  name                                = "open"
  encryption_in_transit_client_broker = "PLAINTEXT"
}
