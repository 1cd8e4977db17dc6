//! What answers and arguments look like by the provider's own model, for checks of what is written against them.

use super::model::{self, Frame, Kind};

/// A value in an answer or in arguments, as the model describes it.
#[derive(Debug, Clone, Copy)]
pub struct Typed {
    frame: &'static Frame,
    shape: usize,
}

/// The answer of an operation; none for an operation the table does not hold, or one that answers nothing.
pub fn answer_of(service: &str, operation: &str) -> Option<Typed> {
    let frame = frame(service)?;
    frame.operations.get(operation)?.output.map(|shape| Typed { frame, shape })
}

/// The arguments of an operation; none for an operation the table does not hold, or one that takes none.
pub fn arguments_of(service: &str, operation: &str) -> Option<Typed> {
    let frame = frame(service)?;
    frame.operations.get(operation)?.input.map(|shape| Typed { frame, shape })
}

fn frame(service: &str) -> Option<&'static Frame> {
    model::table().ok()?.service(service)?.frame().ok()
}

impl Typed {
    fn kind(self) -> Option<Kind> {
        self.frame.shape(self.shape).map(|shape| shape.kind)
    }

    /// Whether it is JSON without a model, so that anything may stand in it.
    pub fn is_open(self) -> bool {
        self.kind() == Some(Kind::Document)
    }

    /// Whether it is a list.
    pub fn is_list(self) -> bool {
        self.kind() == Some(Kind::List)
    }

    /// Whether it has named members or text keys.
    pub fn has_members(self) -> bool {
        matches!(self.kind(), Some(Kind::Structure | Kind::Map))
    }

    /// A member by its name in documents; of a map, what stands under any key.
    pub fn member(self, name: &str) -> Option<Self> {
        let shape = self.frame.shape(self.shape)?;
        let found = match shape.kind {
            Kind::Structure => shape.members.iter().find(|member| member.name == name),
            Kind::Map => shape.element.as_deref(),
            _ => None,
        };
        found.map(|member| Self { frame: self.frame, shape: member.shape })
    }

    /// What the items of a list are, or the values of a map.
    pub fn element(self) -> Option<Self> {
        let shape = self.frame.shape(self.shape)?;
        shape.element.as_deref().map(|member| Self { frame: self.frame, shape: member.shape })
    }

    /// The members arguments must have.
    pub fn required(self) -> &'static [String] {
        self.frame.shape(self.shape).map_or(&[], |shape| &shape.required)
    }

    /// The names of its members; empty for what is no structure.
    pub fn members(self) -> impl Iterator<Item = &'static str> {
        self.frame
            .shape(self.shape)
            .into_iter()
            .flat_map(|shape| shape.members.iter().map(|member| member.name.as_str()))
    }

    /// Whether a value may stand here: of the same kind, and its members' values too.
    ///
    /// # Errors
    /// Which part is not, as a path, and what would be right.
    pub fn admits(self, value: &serde_json::Value) -> Result<(), String> {
        use serde_json::Value as Json;
        let wrong = |want: &str| Err(format!("`{value}` is not {want}"));
        match (self.kind(), value) {
            (Some(Kind::Structure), Json::Object(given)) => given.iter().try_for_each(|(name, value)| {
                let member = self.member(name).ok_or_else(|| {
                    format!("`{name}` is no member; there are {}", self.members().collect::<Vec<_>>().join(", "))
                })?;
                member.admits(value).map_err(|why| format!("{name}: {why}"))
            }),
            (Some(Kind::Map), Json::Object(given)) => {
                given.values().try_for_each(|value| self.element().map_or(Ok(()), |element| element.admits(value)))
            }
            (Some(Kind::List), Json::Array(given)) => {
                given.iter().try_for_each(|value| self.element().map_or(Ok(()), |element| element.admits(value)))
            }
            (Some(Kind::String), Json::String(_))
            | (Some(Kind::Integer | Kind::Float), Json::Number(_))
            | (Some(Kind::Boolean), Json::Bool(_))
            | (Some(Kind::Document | Kind::Timestamp | Kind::Blob) | None, _) => Ok(()),
            // What is filled in when the call is made.
            (_, Json::String(text)) if text.starts_with('$') => Ok(()),
            (Some(Kind::Structure | Kind::Map), _) => wrong("a table"),
            (Some(Kind::List), _) => wrong("a list"),
            (Some(Kind::String), _) => wrong("a text"),
            (Some(Kind::Integer | Kind::Float), _) => wrong("a number"),
            (Some(Kind::Boolean), _) => wrong("true or false"),
        }
    }
}
