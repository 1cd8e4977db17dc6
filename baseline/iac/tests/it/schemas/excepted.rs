//! What is right although the schemas do not have it, each with its reason.

/// Names no schema has.
pub const NAMES: &[(&str, &str)] = &[
    (
        "aws.autoscaling.group declared_tags terraform tags[].key",
        "a set of maps, which the bindings of old providers show as one",
    ),
    ("aws.rds.cluster multi_az cloudformation MultiAZ", "never written: null in code, where the members tell"),
    ("aws.rds.cluster multi_az terraform multi_az", "never written: null in code, where the members tell"),
    (
        "azure.aks.cluster authorized_ranges arm properties.apiServerAuthorizedIPRanges",
        "where API versions before 2020 had it",
    ),
    (
        "gcp.cloudstorage.bucket grants terraform policy_data.bindings[]",
        "a document as text, which is read as what it says",
    ),
    (
        "gcp.compute.network legacy_range terraform ipv4_range",
        "legacy networks, which providers before version 3 could make",
    ),
];

/// Fields the newest version of a provider has no name for.
pub const GONE: &[(&str, &str)] = &[
    ("azure.aks.cluster dashboard terraform azurerm_kubernetes_cluster", "version 3 took the add-on away"),
    ("azure.app.web-app python terraform azurerm_windows_web_app", "version 4: there is no Python on Windows any more"),
    (
        "azure.app.web-app python terraform azurerm_windows_web_app_slot",
        "version 4: there is no Python on Windows any more",
    ),
    (
        "azure.containerregistry.registry content_trust terraform azurerm_container_registry",
        "version 5: Azure retires it",
    ),
    (
        "azure.sqlserver.database-inline-audit days terraform azurerm_mssql_database",
        "version 3 left the resource beside it",
    ),
    (
        "azure.sqlserver.database-inline-audit declared terraform azurerm_mssql_database",
        "version 3 left the resource beside it",
    ),
    ("azure.vm.disk encryption_off terraform azurerm_managed_disk", "version 4: settings that are written are on"),
    ("gcp.cloudsql.instance require_ssl terraform google_sql_database_instance", "version 6 left `ssl_mode`"),
    (
        "gcp.gke.cluster basic_auth_user terraform google_container_cluster",
        "version 4: there is no basic authentication any more",
    ),
];

/// Forms that do not look like the field's type.
pub const SHAPES: &[(&str, &str)] =
    &[("azure.aks.cluster system_pools arm properties.agentPoolProfiles[0]", "the first pool, as a list of one")];

/// Examples that write what is not there.
pub const EXAMPLES: &[(&str, &str)] = &[
    (
        "aws.codeartifact.domain.encrypted-cmk cloudformation AWS::CodeArtifact::Domain",
        "the schema calls EncryptionKey read-only and create-only at once; the service takes it",
    ),
    ("gcp.compute.network.not-legacy terraform google_compute_network", "a legacy network, as old code has it"),
];
