//! From evaluated code to the values of a kind's fields.

use crate::source::SourceMap;
use crate::value::{Data, Part, Ref, Val};
use plumb_catalog::{Decode, Type};
use plumb_model::{Reason, TextEnds, Unknown, Value};
use std::sync::Arc;

/// What is not known, with the expression and where it stands.
pub(crate) fn unknown(val: &Val, sources: &SourceMap) -> Value {
    let (_, detail) = val.gap();
    let place = sources.place(val.why().map_or(val.span, |w| w.span));
    let expression = if val.sensitive { "(sensitive)".to_owned() } else { val.describe() };
    let mut unknown = Unknown::new(Reason::NotComputed, expression);
    unknown.detail =
        if place.line == 0 { detail.to_string() } else { format!("{detail}, {}:{}", place.file, place.line) };
    Value::unknown(unknown)
}

/// The same, with what is known of a text.
fn unknown_text(val: &Val, sources: &SourceMap) -> Value {
    match (unknown(val, sources), ends(val)) {
        (Value::Unknown(unknown), Some(ends)) => {
            Value::unknown(Unknown { text: Some(Box::new(ends)), ..Unknown::clone(&unknown) })
        }
        (other, _) => other,
    }
}

/// How a text with holes begins and ends.
fn ends(val: &Val) -> Option<TextEnds> {
    if val.sensitive {
        return None;
    }
    let parts = match &val.data {
        Data::Partial(parts) => parts,
        // The attribute of that name is there for IAM, with all resources and data sources of Google that have it.
        Data::Ref(r) if &*r.path == "member" && type_of(&r.address).starts_with("google_") => {
            return Some(TextEnds { start: ACCOUNT.into(), end: "".into() });
        }
        _ => return None,
    };
    let literal = |part: &Part| match part {
        Part::Text(text) => Some(Arc::clone(text)),
        Part::Hole(_) => None,
    };
    let start: String = parts.iter().map_while(literal).map(|text| text.to_string()).collect();
    let mut tail: Vec<Arc<str>> = parts.iter().rev().map_while(literal).collect();
    tail.reverse();
    let end = tail.concat();
    Some(TextEnds { start: start.into(), end: end.into() })
}

/// Whether an attribute names its resource: it is then surely set, and equal to no text that code could write.
fn names_it(path: &str) -> bool {
    let last = path.rsplit(['.', ']']).find(|s| !s.is_empty()).unwrap_or_default().to_ascii_lowercase();
    last.is_empty()
        || ["id", "arn", "name", "url", "alias", "bucket", "link", "identifier", "ref"]
            .iter()
            .any(|end| last.ends_with(end))
}

fn is_data(address: &str) -> bool {
    address.starts_with("data.") || address.contains(".data.")
}

/// A reference as text: the address of the resource, which is its id; or `${…}` for what is outside this code.
fn reference(r: &Ref) -> Option<Value> {
    if let Some(account) = default_account(r) {
        return Some(Value::from(account));
    }
    let data = is_data(&r.address);
    if !data && &*r.path == "member" && type_of(&r.address) == "google_service_account" {
        return Some(Value::from(format!("{ACCOUNT}${{{}.email}}", r.address)));
    }
    if network_of_ours(r) {
        return Some(Value::from(format!("${{{}.{}}}", r.address, r.path)));
    }
    // The address of an account that this code makes is one of its own; a data source may look up a default one.
    if !names_it(&r.path) && (data || !r.path.ends_with("email")) {
        return None;
    }
    if data {
        return Some(Value::from(format!("${{{}.{}}}", r.address, r.path)));
    }
    Some(Value::str(&*r.address))
}

/// Whether it is the range of a network or subnet of the cloud, made by this code or looked up: private, and never the internet.
fn network_of_ours(r: &Ref) -> bool {
    const RANGES: [(&str, &str); 8] = [
        ("aws_vpc", "cidr_block"),
        ("aws_default_vpc", "cidr_block"),
        ("aws_subnet", "cidr_block"),
        ("aws_default_subnet", "cidr_block"),
        ("aws_vpc", "ipv6_cidr_block"),
        ("aws_subnet", "ipv6_cidr_block"),
        ("azurerm_subnet", "address_prefix"),
        ("google_compute_subnetwork", "ip_cidr_range"),
    ];
    let type_ = type_of(&r.address);
    RANGES.iter().any(|(of, path)| *of == type_ && *path == &*r.path)
}

/// What members that are service accounts begin with (Google's IAM, "Principal identifiers").
const ACCOUNT: &str = "serviceAccount:";

/// The type in an address.
fn type_of(address: &str) -> &str {
    let named =
        if address.ends_with(']') { address.rsplit_once('[').map_or(address, |(name, _)| name) } else { address };
    let mut parts = named.rsplit('.');
    parts.next();
    parts.next().unwrap_or_default()
}

/// The account that Google makes in every project, as its data source gives it: the number of the project is not known,
/// whose account it is follows from the type alone.
fn default_account(r: &Ref) -> Option<String> {
    let source = r.address.rsplit_once("data.").map(|(_, rest)| rest)?;
    let domain = match source.split('.').next()? {
        "google_compute_default_service_account" => "-compute@developer.gserviceaccount.com",
        "google_app_engine_default_service_account" => "@appspot.gserviceaccount.com",
        _ => return None,
    };
    match &*r.path {
        "email" => Some(format!("${{{}}}{domain}", r.address)),
        "member" => Some(format!("serviceAccount:${{{}}}{domain}", r.address)),
        _ => None,
    }
}

/// Whether it is what a template calls the account or the stack it is deployed to: not known, never empty, no pattern, and equal to
/// no text that a template could sensibly write.
fn own_account(expr: &str) -> bool {
    matches!(expr, "AWS::AccountId" | "AWS::StackName" | "AWS::StackId")
}

/// Whether it is what a template calls the place it is deployed to. Within a text it is as good as known: no secret, no pattern.
pub(crate) fn of_deployment(expr: &str) -> bool {
    own_account(expr) || matches!(expr, "AWS::Region" | "AWS::Partition" | "AWS::URLSuffix")
}

/// A text with holes that is surely a name of something, and of what, with `${…}` for them: holes are what names resources
/// (`…:*` behind the ARN of a log group is as little a text that code could write as the ARN itself), or partition, region
/// and account of an ARN whose end is written.
fn name_of(parts: &[Part]) -> Option<String> {
    let arn = matches!(parts.first(), Some(Part::Text(text)) if text.starts_with("arn:"));
    let mut colons = 0;
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => {
                colons += text.matches(':').count();
                out.push_str(text);
            }
            Part::Hole(hole) => {
                let own = match &hole.data {
                    Data::Ref(r) => {
                        default_account(r).or_else(|| reference(r).map(|_| format!("${{{}}}", hole.describe())))
                    }
                    Data::Unknown(why) if of_deployment(&why.expr) => Some(format!("${{{}}}", why.expr)),
                    _ => None,
                };
                match own {
                    Some(text) => out.push_str(&text),
                    None if arn && colons < 5 => out.push_str(&format!("${{{}}}", hole.describe())),
                    None => return None,
                }
            }
        }
    }
    (!arn || colons >= 5).then_some(out)
}

/// Whether a text names one of the policies that AWS keeps, and not which.
fn one_of_aws(parts: &[Part]) -> bool {
    let literal = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole(_) => String::new(),
    };
    matches!(parts.last(), Some(Part::Hole(_))) && parts.iter().map(literal).collect::<String>().contains(":iam::aws:")
}

/// How a value is read for a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The files, for places.
    pub sources: &'a SourceMap,
    /// Texts with holes stay texts with `${…}`: where only being set matters, or what they point to is looked up.
    pub holes: bool,
    /// What is known of a text with holes is told: where the text is taken as it stands.
    pub ends: bool,
}

impl Reader<'_> {
    fn unknown(self, val: &Val) -> Value {
        if self.ends { unknown_text(val, self.sources) } else { unknown(val, self.sources) }
    }

    /// The value of a field of type `ty`.
    pub(crate) fn value(self, val: &Val, ty: &Type) -> Value {
        match (&val.data, ty) {
            (_, Type::Policy) => plumb_collect::policy(self.policy(val)),
            (Data::Ref(r), Type::String | Type::Any) => reference(r).unwrap_or_else(|| self.unknown(val)),
            (Data::Unknown(why), Type::String | Type::Any) if own_account(&why.expr) => {
                Value::from(format!("${{{}}}", why.expr))
            }
            // One of what belongs to another resource: how many there are is known, and which.
            (Data::Ref(r), Type::List(item))
                // In templates a bare reference is the name of the one it means.
                if **item == Type::String
                    && (!r.path.is_empty() || !r.address.contains('.'))
                    && !r.path.contains('*') =>
            {
                reference(r).map_or_else(|| unknown(val, self.sources), |one| Value::list([one]))
            }
            (Data::Partial(parts), Type::String | Type::Any) => match name_of(parts) {
                Some(text) => Value::from(text),
                None if self.holes && !one_of_aws(parts) => Value::from(val.describe()),
                None => self.unknown(val),
            },
            (Data::Ref(_) | Data::Partial(_) | Data::Unknown(_), _) => unknown(val, self.sources),
            (Data::Doc(doc), Type::Map(_) | Type::Object(_) | Type::List(_)) => self.value(&doc.value, ty),
            (Data::Doc(doc), _) => match &doc.text {
                Some(text) => Value::str(&**text),
                None if matches!(ty, Type::Any) => self.value(&doc.value, ty),
                None => unknown(val, self.sources),
            },
            (Data::List(items) | Data::Set(items), Type::List(item)) => {
                Value::list(items.iter().map(|i| self.value(i, item)))
            }
            (Data::List(items) | Data::Set(items), _) => Value::list(items.iter().map(|i| self.value(i, ty))),
            (Data::Map(members), ty) => {
                let inner = |name: &str| match ty {
                    Type::Map(item) => item.as_ref().clone(),
                    Type::Object(types) => types.get(name).cloned().unwrap_or(Type::Any),
                    _ => Type::Any,
                };
                Value::map(members.iter().map(|(k, v)| (&**k, self.value(v, &inner(k)))))
            }
            _ => val.to_value(),
        }
    }

    /// A policy: its structure is kept, with `${…}` where a name of something is not known yet.
    fn policy(self, val: &Val) -> Value {
        match &val.data {
            Data::Doc(doc) => self.policy_part(&doc.value, Care::Names),
            Data::Str(text) if text.trim().is_empty() => Value::Null,
            Data::Str(_) => match val.decode_json() {
                Some(decoded) => self.policy_part(&decoded, Care::Names),
                None => plumb_collect::decode(Decode::UrlJson, val.to_value(), ""),
            },
            Data::Partial(_) => match val.decode_json() {
                Some(decoded) => self.policy_part(&decoded, Care::Names),
                None => unknown(val, self.sources),
            },
            Data::Ref(_) | Data::Unknown(_) => unknown(val, self.sources),
            Data::List(items) | Data::Set(items) => match items.as_slice() {
                [one] => self.policy(one),
                _ => self.policy_part(val, Care::Names),
            },
            _ => self.policy_part(val, Care::Names),
        }
    }

    /// A part of a policy, with as much care for what is not known as its place asks for.
    fn policy_part(self, val: &Val, care: Care) -> Value {
        match &val.data {
            Data::Ref(r) => match names_it(&r.path) || r.path.ends_with("account_id") {
                true => Value::from(format!("${{{}}}", val.describe())),
                false => unknown(val, self.sources),
            },
            Data::Partial(parts) => {
                let open = |part: &Part| match part {
                    Part::Text(_) => false,
                    Part::Hole(hole) => match &hole.data {
                        Data::Ref(_) => false,
                        Data::Unknown(why) => !(care == Care::Limits && of_deployment(&why.expr)),
                        _ => true,
                    },
                };
                let matters = match care {
                    Care::Names => false,
                    Care::Decides => parts.first().is_some_and(open),
                    Care::Limits => parts.iter().any(open),
                };
                if matters { unknown(val, self.sources) } else { Value::from(val.describe()) }
            }
            Data::Unknown(why) if of_deployment(&why.expr) => Value::from(format!("${{{}}}", why.expr)),
            Data::Unknown(_) => unknown(val, self.sources),
            Data::Doc(doc) => self.policy_part(&doc.value, care),
            Data::List(items) | Data::Set(items) => Value::list(items.iter().map(|i| self.policy_part(i, care))),
            Data::Map(members) => {
                let open = members.get("Effect").and_then(Val::as_str) == Some("Allow")
                    && members.get("Principal").is_some_and(for_everyone);
                Value::map(members.iter().map(|(k, v)| {
                    let asked = match &**k {
                        "Condition" if open => Care::Limits,
                        "Effect" | "Principal" | "NotPrincipal" | "Action" | "NotAction" | "Condition" => Care::Decides,
                        _ => Care::Names,
                    };
                    (&**k, self.policy_part(v, care.max(asked)))
                }))
            }
            _ => val.to_value(),
        }
    }
}

/// What hangs on a hole in a text of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    /// Nothing: it names something.
    Names,
    /// One at the very beginning could be anything, `*` too.
    Decides,
    /// It is all that keeps everyone out: any hole that is no surely one name could hold a `*`.
    Limits,
}

/// Whether a principal of a policy is everyone.
fn for_everyone(principal: &Val) -> bool {
    match &principal.data {
        Data::Str(text) => &**text == "*",
        Data::List(items) | Data::Set(items) => items.iter().any(for_everyone),
        Data::Map(members) => members.values().any(for_everyone),
        _ => false,
    }
}
