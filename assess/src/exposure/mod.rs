//! Who can reach a resource from outside, as far as configuration says, with a proof.
//!
//! A resource has one [`Class`]. Every class above [`Class::Internal`] carries the steps that prove it, each naming a
//! resource, its field and what stands there. Where a fact is missing and the answer hangs on it, the class is
//! [`Class::Unknown`], with what is needed to tell and the most it could be ([`Exposure::at_most`]); nothing is called
//! internal for want of looking.
//!
//! Policies are judged by what they say about a caller nobody has vouched for: an Allow that admits anyone counts
//! unless a condition ties the caller to fixed accounts or networks, or a Deny for everyone covers it.

mod balancers;
mod estate;
mod network;
pub(crate) mod policies;
mod resources;
mod services;

pub(crate) use balancers::sent_on;
pub use estate::{Estate, Item, Need, Table};
pub use network::Opening;
pub use resources::exposures;
pub(crate) use resources::serves_only_its_account;

/// How far outside someone can be and still reach a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nobody outside the account.
    Internal,
    /// It cannot be told; see [`Exposure::needs`].
    Unknown,
    /// Named other accounts, or an organization.
    CrossAccount,
    /// Addresses or networks that are named and few.
    Limited,
    /// Anyone with an account of the provider or a token of a public issuer.
    InternetAuthenticated,
    /// Anyone, without a credential.
    Internet,
}

impl Class {
    /// From least to most exposed.
    pub const ALL: [Self; 6] =
        [Self::Internal, Self::Unknown, Self::CrossAccount, Self::Limited, Self::InternetAuthenticated, Self::Internet];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Unknown => "unknown",
            Self::CrossAccount => "cross-account",
            Self::Limited => "limited",
            Self::InternetAuthenticated => "internet-authenticated",
            Self::Internet => "internet",
        }
    }
}

impl std::str::FromStr for Class {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|c| c.name() == text)
            .ok_or_else(|| format!("there is no class `{text}`; there is {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// One fact of a proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// The resource whose configuration says so.
    pub resource: String,
    /// Where in it: `ingress[0].cidrs`.
    pub field: String,
    /// What stands there and what it means.
    pub says: String,
}

impl Step {
    /// A fact about a field of a resource.
    pub fn new(resource: impl Into<String>, field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { resource: resource.into(), field: field.into(), says: says.into() }
    }
}

/// How a resource stands towards the outside.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Exposure {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The kind: `aws.s3.bucket`.
    pub kind: String,
    /// The resource.
    pub resource: String,
    /// Its everyday name.
    pub name: String,
    /// The class.
    pub class: Class,
    /// For an unknown class, the most exposed it could be once everything is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Class>,
    /// What proves the class, in the order in which a request would meet it.
    pub proof: Vec<Step>,
    /// What is missing to tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The same as values.
    #[serde(skip)]
    pub missing: Vec<Need>,
    /// Open ports, for what is reached through the network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub openings: Vec<Opening>,
    /// Actions outsiders may take, as the policies write them, `NotAction` entries prefixed with `!`; `acl:READ` for ACLs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Accounts outside the organization that are let in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside_accounts: Vec<String>,
}

/// A judgement between two bounds: what is certain, and what missing facts could make of it.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub certain: Class,
    pub possible: Class,
    pub proof: Vec<Step>,
    pub needs: Vec<Need>,
    pub openings: Vec<Opening>,
    pub actions: Vec<String>,
    pub outside: Vec<String>,
}

impl Judged {
    pub(crate) fn internal() -> Self {
        Self {
            certain: Class::Internal,
            possible: Class::Internal,
            proof: Vec::new(),
            needs: Vec::new(),
            openings: Vec::new(),
            actions: Vec::new(),
            outside: Vec::new(),
        }
    }

    pub(crate) fn sure(class: Class, proof: Vec<Step>) -> Self {
        Self { certain: class, possible: class, proof, ..Self::internal() }
    }

    /// It may be as exposed as `possible`; nothing is certain.
    pub(crate) fn open(possible: Class, need: Need) -> Self {
        Self { possible, needs: vec![need], ..Self::internal() }
    }

    /// Either way leads in: the wider one counts.
    pub(crate) fn or(mut self, other: Self) -> Self {
        if other.certain > self.certain {
            self.proof = other.proof.into_iter().chain(self.proof).collect();
        } else {
            self.proof.extend(other.proof);
        }
        self.certain = self.certain.max(other.certain);
        self.possible = self.possible.max(other.possible);
        self.needs.extend(other.needs);
        self.openings.extend(other.openings);
        self.actions.extend(other.actions);
        self.outside.extend(other.outside);
        self
    }

    pub(crate) fn exposure(self, item: &Item<'_>) -> Exposure {
        let settled = self.certain == self.possible;
        let mut missing = self.needs;
        missing.sort_by_key(|n| n.describe());
        missing.dedup();
        let mut needs: Vec<String> = missing.iter().map(|n| n.describe()).collect();
        let mut actions = self.actions;
        let mut outside = self.outside;
        let mut openings = self.openings;
        for list in [&mut needs, &mut actions, &mut outside] {
            list.sort();
            list.dedup();
        }
        openings.sort();
        openings.dedup();
        // What is certain already counts, although it could be worse.
        let class = if settled || self.certain > Class::Unknown { self.certain } else { Class::Unknown };
        Exposure {
            account: item.resource.account.to_string(),
            region: item.resource.region.to_string(),
            kind: item.resource.kind.to_string(),
            resource: item.resource.id.to_string(),
            name: item.resource.name.to_string(),
            class,
            at_most: (!settled).then_some(self.possible),
            proof: self.proof,
            needs: if settled { Vec::new() } else { needs },
            missing: if settled { Vec::new() } else { missing },
            openings,
            actions,
            outside_accounts: outside,
        }
    }
}
