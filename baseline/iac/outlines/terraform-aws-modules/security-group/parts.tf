# A group for one service (`//modules/ssh`): the module itself with the service's rules among its own. Until 5 all of the group may reach
# each other and everything outside; 6.0 took both away and opens the service to the sources that are named, each with a key.
#
# Never declares: anything else

variable "version" {}
variable "part" {}

variable "create" { default = true }
variable "vpc_id" { default = null }
variable "name" { default = null }
variable "use_name_prefix" { default = true }
variable "description" { default = "Security Group managed by Terraform" }
variable "tags" { default = {} }
variable "ingress_cidr_blocks" { default = [] }
variable "ingress_ipv6_cidr_blocks" { default = [] }
variable "ingress_prefix_list_ids" { default = [] }
variable "egress_cidr_blocks" { default = ["0.0.0.0/0"] }
variable "egress_ipv6_cidr_blocks" { default = ["::/0"] }
variable "egress_prefix_list_ids" { default = [] }
variable "ingress_with_cidr_blocks" { default = [] }
variable "ingress_with_ipv6_cidr_blocks" { default = [] }
variable "ingress_with_source_security_group_id" { default = [] }
variable "computed_ingress_rules" { default = [] }
variable "number_of_computed_ingress_rules" { default = 0 }
variable "computed_ingress_with_self" { default = [] }
variable "number_of_computed_ingress_with_self" { default = 0 }
variable "computed_ingress_with_cidr_blocks" { default = [] }
variable "number_of_computed_ingress_with_cidr_blocks" { default = 0 }
variable "computed_ingress_with_ipv6_cidr_blocks" { default = [] }
variable "number_of_computed_ingress_with_ipv6_cidr_blocks" { default = 0 }
variable "computed_ingress_with_source_security_group_id" { default = [] }
variable "number_of_computed_ingress_with_source_security_group_id" { default = 0 }
variable "egress_with_self" { default = [] }
variable "egress_with_cidr_blocks" { default = [] }
variable "egress_with_ipv6_cidr_blocks" { default = [] }
variable "egress_with_source_security_group_id" { default = [] }
variable "computed_egress_rules" { default = [] }
variable "number_of_computed_egress_rules" { default = 0 }
variable "computed_egress_with_self" { default = [] }
variable "number_of_computed_egress_with_self" { default = 0 }
variable "computed_egress_with_cidr_blocks" { default = [] }
variable "number_of_computed_egress_with_cidr_blocks" { default = 0 }
variable "computed_egress_with_ipv6_cidr_blocks" { default = [] }
variable "number_of_computed_egress_with_ipv6_cidr_blocks" { default = 0 }
variable "computed_egress_with_source_security_group_id" { default = [] }
variable "number_of_computed_egress_with_source_security_group_id" { default = 0 }
variable "ingress_rules" { default = [] }
variable "egress_rules" { default = [] }
variable "ingress_with_self" { default = [] }
variable "auto_ingress_with_self" { default = [{ rule = "all-all" }] }
variable "auto_egress_rules" { default = ["all-all"] }
variable "auto_ingress_rules" { default = null }
variable "ingress_cidr_ipv4" { default = {} }
variable "ingress_cidr_ipv6" { default = {} }
variable "ingress_prefix_list_id" { default = {} }
variable "ingress_referenced_security_group_id" { default = {} }
variable "preset_ingress_rules" { default = null }

# The rules of a service that is in no table.
variable "rules_of_another_service" {}

locals {
  six = var.version >= 60000 && (
    length(var.ingress_cidr_ipv4) + length(var.ingress_cidr_ipv6) + length(var.ingress_prefix_list_id) + length(var.ingress_referenced_security_group_id) > 0
    || can(keys(var.ingress_rules)) || can(keys(var.egress_rules))
  )

  services = {
    activemq        = ["activemq-5671-tcp", "activemq-8883-tcp", "activemq-61614-tcp", "activemq-61617-tcp", "activemq-61619-tcp"]
    alertmanager    = ["alertmanager-9093-tcp", "alertmanager-9094-tcp"]
    carbon-relay-ng = ["carbon-line-in-tcp", "carbon-line-in-udp", "carbon-pickle-tcp", "carbon-pickle-udp", "carbon-gui-udp"]
    cassandra       = ["cassandra-clients-tcp", "cassandra-thrift-clients-tcp", "cassandra-jmx-tcp"]
    consul          = ["consul-tcp", "consul-grpc-tcp", "consul-grpc-tcp-tls", "consul-webui-http-tcp", "consul-webui-https-tcp", "consul-dns-tcp", "consul-dns-udp", "consul-serf-lan-tcp", "consul-serf-lan-udp", "consul-serf-wan-tcp", "consul-serf-wan-udp"]
    dax-cluster     = ["dax-cluster-unencrypted-tcp", "dax-cluster-encrypted-tcp"]
    docker-swarm    = ["docker-swarm-mngmt-tcp", "docker-swarm-node-tcp", "docker-swarm-node-udp", "docker-swarm-overlay-udp"]
    etcd            = ["etcd-client-tcp", "etcd-peer-tcp"]
    elasticsearch   = ["elasticsearch-rest-tcp", "elasticsearch-java-tcp"]
    grafana         = ["grafana-tcp"]
    graphite-statsd = ["graphite-webui", "graphite-2003-tcp", "graphite-2004-tcp", "graphite-2023-tcp", "graphite-2024-tcp", "graphite-8080-tcp", "graphite-8125-tcp", "graphite-8125-udp", "graphite-8126-tcp"]
    http-80         = ["http-80-tcp"]
    http-8080       = ["http-8080-tcp"]
    https-443       = ["https-443-tcp"]
    https-8443      = ["https-8443-tcp"]
    ipsec-500       = ["ipsec-500-udp"]
    ipsec-4500      = ["ipsec-4500-udp"]
    kafka           = ["kafka-broker-tcp", "kafka-broker-tls-tcp", "kafka-broker-tls-public-tcp", "kafka-broker-sasl-scram-tcp", "kafka-broker-sasl-scram-tcp", "kafka-broker-sasl-iam-tcp", "kafka-broker-sasl-iam-public-tcp", "kafka-jmx-exporter-tcp", "kafka-node-exporter-tcp"]
    kubernetes-api  = ["kubernetes-api-tcp"]
    kibana          = ["kibana-tcp"]
    ldap            = ["ldap-tcp"]
    ldaps           = ["ldaps-tcp"]
    logstash        = ["logstash-tcp"]
    loki            = ["loki-grafana", "loki-grafana-grpc"]
    memcached       = ["memcached-tcp"]
    minio           = ["minio-tcp"]
    mongodb         = ["mongodb-27017-tcp", "mongodb-27018-tcp", "mongodb-27019-tcp"]
    mysql           = ["mysql-tcp"]
    mssql           = ["mssql-tcp", "mssql-udp", "mssql-analytics-tcp", "mssql-broker-tcp"]
    nfs             = ["nfs-tcp"]
    nomad           = ["nomad-http-tcp", "nomad-rpc-tcp", "nomad-serf-tcp", "nomad-serf-udp"]
    openvpn         = ["openvpn-udp", "openvpn-tcp", "openvpn-https-tcp"]
    postgresql      = ["postgresql-tcp"]
    oracle-db       = ["oracle-db-tcp"]
    ntp             = ["ntp-udp"]
    puppet          = ["puppet-tcp", "puppetdb-tcp"]
    prometheus      = ["prometheus-http-tcp", "prometheus-pushgateway-http-tcp", "prometheus-node-exporter-http-tcp"]
    promtail        = ["promtail-http"]
    rabbitmq        = ["rabbitmq-4369-tcp", "rabbitmq-5671-tcp", "rabbitmq-5672-tcp", "rabbitmq-15672-tcp", "rabbitmq-25672-tcp"]
    rdp             = ["rdp-tcp", "rdp-udp"]
    redis           = ["redis-tcp"]
    redshift        = ["redshift-tcp"]
    smtp            = ["smtp-tcp"]
    smtp-submission = ["smtp-submission-587-tcp", "smtp-submission-2587-tcp"]
    smtps           = ["smtps-465-tcp", "smtps-2465-tcp"]
    solr            = ["solr-tcp"]
    splunk          = ["splunk-indexer-tcp", "splunk-web-tcp", "splunk-splunkd-tcp", "splunk-hec-tcp"]
    squid           = ["squid-proxy-tcp"]
    ssh             = ["ssh-tcp"]
    storm           = ["storm-nimbus-tcp", "storm-ui-tcp", "storm-supervisor-tcp"]
    vault           = ["vault-tcp"]
    wazuh           = ["wazuh-server-agent-connection-tcp", "wazuh-server-agent-connection-udp", "wazuh-server-agent-enrollment", "wazuh-server-agent-cluster-daemon", "wazuh-server-syslog-collector-tcp", "wazuh-server-syslog-collector-udp", "wazuh-server-restful-api", "wazuh-indexer-restful-api", "wazuh-dashboard"]
    web             = ["http-80-tcp", "http-8080-tcp", "https-443-tcp", "web-jmx-tcp"]
    winrm           = ["winrm-http-tcp", "winrm-https-tcp"]
    zabbix          = ["zabbix-server", "zabbix-proxy", "zabbix-agent"]
    zipkin          = ["zipkin-admin-tcp", "zipkin-admin-query-tcp", "zipkin-admin-web-tcp", "zipkin-query-tcp", "zipkin-web-tcp"]
    zookeeper       = ["zookeeper-2181-tcp", "zookeeper-2182-tls-tcp", "zookeeper-2888-tcp", "zookeeper-3888-tcp", "zookeeper-jmx-tcp"]
  }
  names = coalesce(var.auto_ingress_rules, try(local.services[var.part], var.rules_of_another_service))
}

# How 6.0 names the rules of a service it is asked to open, and their keys, is not said.
variable "rules_of_the_service_in_6" {}

module "sg" {
  source = "terraform-aws-modules/security-group/aws"

  ingress_rules     = local.six ? var.rules_of_the_service_in_6 : sort(distinct(concat(local.names, tolist(var.ingress_rules))))
  egress_rules      = local.six ? var.egress_rules : sort(distinct(concat(var.auto_egress_rules, tolist(var.egress_rules))))
  ingress_with_self = local.six ? [] : concat(var.auto_ingress_with_self, var.ingress_with_self)

  create                                                   = var.create
  vpc_id                                                   = var.vpc_id
  name                                                     = var.name
  use_name_prefix                                          = var.use_name_prefix
  description                                              = var.description
  tags                                                     = var.tags
  ingress_cidr_blocks                                      = var.ingress_cidr_blocks
  ingress_ipv6_cidr_blocks                                 = var.ingress_ipv6_cidr_blocks
  ingress_prefix_list_ids                                  = var.ingress_prefix_list_ids
  egress_cidr_blocks                                       = var.egress_cidr_blocks
  egress_ipv6_cidr_blocks                                  = var.egress_ipv6_cidr_blocks
  egress_prefix_list_ids                                   = var.egress_prefix_list_ids
  ingress_with_cidr_blocks                                 = var.ingress_with_cidr_blocks
  ingress_with_ipv6_cidr_blocks                            = var.ingress_with_ipv6_cidr_blocks
  ingress_with_source_security_group_id                    = var.ingress_with_source_security_group_id
  computed_ingress_rules                                   = var.computed_ingress_rules
  number_of_computed_ingress_rules                         = var.number_of_computed_ingress_rules
  computed_ingress_with_self                               = var.computed_ingress_with_self
  number_of_computed_ingress_with_self                     = var.number_of_computed_ingress_with_self
  computed_ingress_with_cidr_blocks                        = var.computed_ingress_with_cidr_blocks
  number_of_computed_ingress_with_cidr_blocks              = var.number_of_computed_ingress_with_cidr_blocks
  computed_ingress_with_ipv6_cidr_blocks                   = var.computed_ingress_with_ipv6_cidr_blocks
  number_of_computed_ingress_with_ipv6_cidr_blocks         = var.number_of_computed_ingress_with_ipv6_cidr_blocks
  computed_ingress_with_source_security_group_id           = var.computed_ingress_with_source_security_group_id
  number_of_computed_ingress_with_source_security_group_id = var.number_of_computed_ingress_with_source_security_group_id
  egress_with_self                                         = var.egress_with_self
  egress_with_cidr_blocks                                  = var.egress_with_cidr_blocks
  egress_with_ipv6_cidr_blocks                             = var.egress_with_ipv6_cidr_blocks
  egress_with_source_security_group_id                     = var.egress_with_source_security_group_id
  computed_egress_rules                                    = var.computed_egress_rules
  number_of_computed_egress_rules                          = var.number_of_computed_egress_rules
  computed_egress_with_self                                = var.computed_egress_with_self
  number_of_computed_egress_with_self                      = var.number_of_computed_egress_with_self
  computed_egress_with_cidr_blocks                         = var.computed_egress_with_cidr_blocks
  number_of_computed_egress_with_cidr_blocks               = var.number_of_computed_egress_with_cidr_blocks
  computed_egress_with_ipv6_cidr_blocks                    = var.computed_egress_with_ipv6_cidr_blocks
  number_of_computed_egress_with_ipv6_cidr_blocks          = var.number_of_computed_egress_with_ipv6_cidr_blocks
  computed_egress_with_source_security_group_id            = var.computed_egress_with_source_security_group_id
  number_of_computed_egress_with_source_security_group_id  = var.number_of_computed_egress_with_source_security_group_id
}

output "security_group_id" { value = module.sg.security_group_id }
output "this_security_group_id" { value = module.sg.security_group_id }
output "id" { value = module.sg.security_group_id }
output "security_group_name" { value = var.name }
