//! Stored documents become resources again: straight from the text into the kind's fields, without a tree between, and only
//! those fields that somebody will read.

use crate::judge::JudgeError;
use plumb_catalog::Kind;
use plumb_model::{AccountId, KindId, Region, Resource, ResourceId, Sources, Value};
use plumb_record::{Record, RecordError, ResourceRow, ScanId};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// A resource as it stands on the record, in the order of its kind's fields.
///
/// # Errors
/// When the stored document is damaged.
pub(crate) fn resource_of(kind: &Kind, account: &AccountId, row: ResourceRow) -> Result<Resource, JudgeError> {
    resource_with(kind, account, row, &|_| true)
}

/// Hands an account's resources of a kind to `take` as `scan` left them, in id order; with `as_of`, as they were even where
/// later scans changed them.
///
/// # Errors
/// When the record fails, or the first error of `take`.
pub(crate) fn each<E: From<RecordError>>(
    record: &Record,
    account: &AccountId,
    kind: &KindId,
    scan: ScanId,
    as_of: bool,
    take: impl FnMut(ResourceRow) -> Result<(), E>,
) -> Result<(), E> {
    if as_of {
        record.each_resource_as_of(account, kind, scan, take)
    } else {
        record.each_resource(account, kind, scan, take)
    }
}

/// An account's resources of a kind, in id order, with those fields that are `wanted`.
///
/// # Errors
/// When the record fails or a stored document is damaged.
pub(crate) fn resources_of(
    record: &Record,
    kind: &Kind,
    account: &AccountId,
    scan: ScanId,
    as_of: bool,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Vec<Resource>, JudgeError> {
    let mut out = Vec::new();
    each(record, account, &kind.id, scan, as_of, |row| -> Result<(), JudgeError> {
        out.push(resource_with(kind, account, row, wanted)?);
        Ok(())
    })?;
    Ok(out)
}

/// A resource with those fields alone that are `wanted`, by position; the others are null.
///
/// # Errors
/// When the stored document is damaged.
fn resource_with(
    kind: &Kind,
    account: &AccountId,
    row: ResourceRow,
    wanted: &dyn Fn(usize) -> bool,
) -> Result<Resource, JudgeError> {
    let mut reader = serde_json::Deserializer::from_str(&row.doc);
    let fields = Fields { kind, wanted }.deserialize(&mut reader).and_then(|fields| reader.end().map(|()| fields));
    let fields = fields.map_err(|_| JudgeError::Damaged { kind: kind.id.to_string(), id: row.id.clone() })?;
    Ok(Resource {
        kind: kind.id.clone(),
        account: account.clone(),
        region: Region::from(row.region),
        id: ResourceId::from(row.id),
        name: row.name.into(),
        fields,
        sources: Sources::default(),
    })
}

/// Reads a document's members into a kind's fields.
struct Fields<'k> {
    kind: &'k Kind,
    wanted: &'k dyn Fn(usize) -> bool,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<Value>, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields of {}", self.kind.id)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Value>, A::Error> {
        let mut fields: Vec<Option<Value>> = vec![None; self.kind.fields.len()];
        while let Some(slot) = map.next_key_seed(Slot(self.kind))? {
            match slot.filter(|slot| (self.wanted)(*slot)).and_then(|slot| fields.get_mut(slot)) {
                Some(field) => *field = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        // A field younger than the document has its default.
        let or_default = |(at, (found, field)): (usize, (Option<Value>, &plumb_catalog::Field))| match found {
            None if (self.wanted)(at) => field.default.clone(),
            found => found.unwrap_or_default(),
        };
        Ok(fields.into_iter().zip(&self.kind.fields).enumerate().map(or_default).collect())
    }
}

/// Reads the name of a field as its position; none for a field the kind has no longer.
struct Slot<'k>(&'k Kind);

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Slot<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.slot(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_model::Unknown;

    fn row(doc: &str) -> ResourceRow {
        ResourceRow { id: "b".into(), region: "eu-west-1".into(), name: "b".into(), doc: doc.into() }
    }

    #[test]
    fn fields_come_by_position_younger_ones_by_default_and_unwanted_ones_not_at_all() {
        let (catalog, _) = plumb_catalog::Catalog::load([]);
        let kind = &catalog.kinds["aws.s3.bucket"];
        let account = AccountId::from("1");
        let doc = r#"{"log_bucket":"logs","no_such_field":[1,{"a":2}],"policy":{"$unknown":{"reason":"denied","call":"s3:GetBucketPolicy"}}}"#;
        let all = resource_of(kind, &account, row(doc)).unwrap();
        let at = |name: &str| kind.slot(name).unwrap();
        assert_eq!(all.fields.len(), kind.fields.len());
        assert_eq!(all.fields[at("log_bucket")], Value::from("logs"));
        let unread = Unknown::new(plumb_model::Reason::Denied, "s3:GetBucketPolicy");
        assert_eq!(all.fields[at("policy")], Value::unknown(unread));
        for (slot, field) in kind.fields.iter().enumerate() {
            if !["log_bucket", "policy"].contains(&field.name.as_str()) {
                assert_eq!(all.fields[slot], field.default, "{}", field.name);
            }
        }
        let one = resource_with(kind, &account, row(doc), &|slot| slot == at("log_bucket")).unwrap();
        assert_eq!(one.fields[at("log_bucket")], Value::from("logs"));
        assert!(one.fields.iter().enumerate().all(|(slot, v)| slot == at("log_bucket") || *v == Value::Null));
    }

    #[test]
    fn what_is_no_document_of_fields_is_named() {
        let (catalog, _) = plumb_catalog::Catalog::load([]);
        let kind = &catalog.kinds["aws.s3.bucket"];
        for damaged in ["", "[]", "null", "{\"log_bucket\":", "{}{}", "{\"log_bucket\" 1}"] {
            let error = resource_of(kind, &AccountId::from("1"), row(damaged)).unwrap_err().to_string();
            assert_eq!(error, "the stored fields of aws.s3.bucket `b` are damaged", "{damaged}");
        }
    }
}
