//! What is right although the schemas do not count it, each with its reason.

/// `kind field text`.
pub const VALUES: &[(&str, &str)] = &[
    ("aws.s3.bucket canned_acl authenticated-read", "the word of Terraform; templates say AuthenticatedRead"),
    ("aws.s3.bucket canned_acl log-delivery-write", "the word of Terraform; templates say LogDeliveryWrite"),
    ("aws.s3.bucket canned_acl public-read", "the word of Terraform; templates say PublicRead"),
    ("aws.s3.bucket canned_acl public-read-write", "the word of Terraform; templates say PublicReadWrite"),
    ("aws.ssm.plain-parameter parameter_type SecureString", "CloudFormation cannot make them, Terraform can"),
    ("azure.aks.cluster sku_tier Paid", "the word of API versions before 2023 for Standard"),
    ("azure.containerinstance.container-group ip_type None", "the word of Terraform"),
    ("azure.cosmosdb.account min_tls Tls13", "better than what is asked, should the service come to take it"),
    ("azure.redis.cache min_tls 1.3", "better than what is asked, should the service come to take it"),
    ("azure.storage.container access private", "the word of Terraform; templates say None"),
];
