//! Ids are types; a bare `String` never names a thing in a signature.

/// Types that are a text and name a thing; for the ids of a layer too, which needs `serde`.
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(&self.0)
            }
        }
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }
        impl ::std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

ids! {
    /// The provider's own account number or id: `123456789012`, a subscription GUID, a project id.
    AccountId,
    /// The provider's own full name of a resource: an ARN, an ARM id, a Google full resource name.
    /// For code that is not deployed yet: the address the plan would give it.
    ResourceId,
    /// `aws.sqs.queue.encrypted-at-rest`: the path of the rule page. Never reused; old names become aliases.
    RuleId,
    /// `aws.s3.bucket`: the path of the kind's folder in the catalog.
    KindId,
    /// `eu-west-1`; `global` for what the provider keeps once per account.
    Region,
    /// A provider-neutral control intent: `data.encryption-at-rest`.
    TopicId,
}

impl Region {
    /// The region of resources that the provider keeps once per account.
    pub fn global() -> Self {
        Self::from("global")
    }
}

impl KindId {
    /// The provider part: `aws` of `aws.s3.bucket`.
    pub fn provider(&self) -> &str {
        self.as_str().split('.').next().unwrap_or_default()
    }

    /// The service part: `s3` of `aws.s3.bucket`; empty if there is none.
    pub fn service(&self) -> &str {
        self.as_str().split('.').nth(1).unwrap_or_default()
    }
}

impl RuleId {
    /// The kind a rule speaks about: the id without its last part.
    pub fn kind(&self) -> KindId {
        KindId::from(self.as_str().rsplit_once('.').map_or("", |(kind, _)| kind))
    }
}
