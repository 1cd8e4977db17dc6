//! What an expression may name: fields, variables, constants and functions.

use crate::{Context, Type, Val, types::split};
use plumb_model::{TextEnds, Value};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// The names an expression may use.
#[derive(Debug, Clone, Default)]
pub struct Env {
    pub(crate) names: HashMap<String, Declared>,
    pub(crate) container: Vec<String>,
    variables: u32,
    varies: HashMap<u32, Varies>,
}

/// What a variable's value depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Varies {
    /// The resource.
    #[default]
    ByResource,
    /// Where the resource is: resources in one place share it.
    ByPlace,
    /// Nothing: it is the same in a whole run.
    Never,
}

#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub place: Place,
    pub kind: Type,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Field(u32),
    Variable {
        index: u32,
        /// The field whose element this is.
        part_of: Option<(u32, Arc<str>)>,
    },
    Constant(Arc<Value>),
}

impl Env {
    /// No names but the functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a field of the resource: `Frame::fields[slot]`.
    pub fn field(&mut self, name: impl Into<String>, kind: Type, slot: u32) -> &mut Self {
        self.names.insert(name.into(), Declared { place: Place::Field(slot), kind });
        self
    }

    /// Declares a variable and returns its index in `Frame::vars`. Names may be qualified: `part.key`.
    pub fn var(&mut self, name: impl Into<String>, kind: Type) -> usize {
        self.variable(name, kind, None)
    }

    /// As [`Env::var`], for an element of a field: what the rule says about it is told of that field.
    pub fn part(&mut self, name: impl Into<String>, kind: Type, slot: u32, field: &str) -> usize {
        self.variable(name, kind, Some((slot, field.into())))
    }

    fn variable(&mut self, name: impl Into<String>, kind: Type, part_of: Option<(u32, Arc<str>)>) -> usize {
        let index = self.variables;
        self.variables += 1;
        self.names.insert(name.into(), Declared { place: Place::Variable { index, part_of }, kind });
        index as usize
    }

    /// Says that the variable of this index is the same for many resources.
    pub fn varies(&mut self, index: usize, varies: Varies) -> &mut Self {
        self.varies.insert(u32::try_from(index).unwrap_or(u32::MAX), varies);
        self
    }

    pub(crate) fn variation(&self, index: u32) -> Varies {
        self.varies.get(&index).copied().unwrap_or_default()
    }

    /// Declares a constant, compiled into the program. Names may be qualified: `params.max_age_days`.
    pub fn constant(&mut self, name: impl Into<String>, kind: Type, value: Value) -> &mut Self {
        self.names.insert(name.into(), Declared { place: Place::Constant(Arc::new(value)), kind });
        self
    }

    /// Names are looked up under this qualified prefix first, then under its parents: CEL's container.
    pub fn container(&mut self, name: &str) -> &mut Self {
        self.container = name.split('.').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        self
    }

    /// What a declared name is called when looked up from the container.
    pub(crate) fn find(&self, name: &str, absolute: bool) -> Option<&Declared> {
        if !absolute {
            for length in (1..=self.container.len()).rev() {
                let prefix = self.container.get(..length).unwrap_or_default().join(".");
                if let Some(found) = self.names.get(&format!("{prefix}.{name}")) {
                    return Some(found);
                }
            }
        }
        self.names.get(name)
    }
}

/// A function's code. Arguments are neither unknown nor errors themselves (their elements may be); the receiver
/// comes first.
pub type Function = for<'a> fn(&mut Context, &[Val<'a>]) -> Val<'a>;

/// What a function of one text, or of one text and more, says when only the ends of the text are known; none where that hangs
/// on the middle. The other arguments are known.
pub type OfEnds = fn(&TextEnds, &[Val<'_>]) -> Option<bool>;

/// What a function makes of the ends of a text.
pub(crate) type EndsTo = fn(&TextEnds) -> TextEnds;

/// Gives the type of a host function's result from its literal text argument: `all("aws.s3.bucket")`. The error is
/// the message for the rule's author, with what would be right.
pub type ResultOf = Arc<dyn Fn(&str) -> Result<Type, String> + Send + Sync>;

/// A signature text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a signature like `string.covers(int, int) -> bool`")]
pub struct SignatureError(String);

#[derive(Clone)]
pub(crate) enum Code {
    Pure(Function),
    Host { id: u16, result_of: Option<ResultOf> },
}

#[derive(Clone)]
pub(crate) struct Overload {
    pub args: Vec<Type>,
    pub result: Type,
    pub code: Code,
}

/// The functions an expression may call: CEL's own, its standard extensions, and the caller's.
#[derive(Clone, Default)]
pub struct Functions {
    /// By name; for methods the name starts with a dot: `.startsWith`.
    table: HashMap<String, Vec<Overload>>,
    /// By name, as in `table`: those that can tell something of a text known in part.
    of_ends: HashMap<&'static str, OfEnds>,
    /// By name: those that change a text character by character.
    ends_to: HashMap<&'static str, EndsTo>,
    /// More functions, shared; those of `table` come first.
    base: Option<Arc<Functions>>,
    /// Host functions whose answer does not depend on the resource.
    pub(crate) same_for_all: BTreeSet<u16>,
}

impl std::fmt::Debug for Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} functions", self.names().len())
    }
}

impl Functions {
    /// CEL's standard functions and the extensions strings, math, lists, sets, encoders, optionals and network.
    pub fn standard() -> Self {
        let mut functions = Self::default();
        for (signature, code) in crate::functions::tables() {
            // The tables are ours; a test reads every signature.
            let added = functions.pure(signature, code);
            debug_assert!(added.is_ok(), "{signature}");
        }
        functions.of_ends(".startsWith", |ends, args| ends.starts_with(args.first()?.as_str()?));
        functions.of_ends(".endsWith", |ends, args| ends.ends_with(args.first()?.as_str()?));
        functions.of_ends(".contains", |ends, args| ends.contains(args.first()?.as_str()?));
        functions.ends_to(".lowerAscii", |ends| ends.each(str::to_ascii_lowercase));
        functions.ends_to(".upperAscii", |ends| ends.each(str::to_ascii_uppercase));
        functions
    }

    /// Says what the function of this name (`.startsWith`, `public_range`) tells of a text of which only the ends are known, its
    /// first argument; without this it tells nothing.
    pub fn of_ends(&mut self, name: &'static str, code: OfEnds) -> &mut Self {
        self.of_ends.insert(name, code);
        self
    }

    /// Says that the function of this name makes of a text one with these ends.
    fn ends_to(&mut self, name: &'static str, code: EndsTo) -> &mut Self {
        self.ends_to.insert(name, code);
        self
    }

    pub(crate) fn new_ends_of(&self, name: &str) -> Option<EndsTo> {
        self.ends_to.get(name).copied().or_else(|| self.base.as_ref()?.new_ends_of(name))
    }

    pub(crate) fn ends_of(&self, name: &str) -> Option<OfEnds> {
        self.of_ends.get(name).copied().or_else(|| self.base.as_ref()?.ends_of(name))
    }

    /// Adds a pure function by signature: `public_range(string) -> bool` for a function,
    /// `string.covers(int, int) -> bool` for a method on text. Types are CEL's names (`bool`, `int`, `list(string)`,
    /// `map(string, dyn)`, `timestamp`, …); single capital letters are type parameters.
    pub fn pure(&mut self, signature: &str, code: Function) -> Result<&mut Self, SignatureError> {
        self.add(signature, Code::Pure(code))
    }

    /// Adds a function the [`crate::Host`] answers under `id`. With `result_of`, its first argument must be a literal
    /// text that decides the result type (the signature's own result is then ignored).
    pub fn host(&mut self, signature: &str, id: u16, result_of: Option<ResultOf>) -> Result<&mut Self, SignatureError> {
        self.add(signature, Code::Host { id, result_of })
    }

    /// The functions of `base`, to which others may be added. A name that is added hides what `base` has under it.
    pub fn over(base: Arc<Functions>) -> Self {
        Self { same_for_all: base.same_for_all.clone(), base: Some(base), ..Self::default() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<&[Overload]> {
        match self.table.get(name) {
            Some(found) => Some(found),
            None => self.base.as_ref()?.find(name),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let base = self.base.as_ref().map(|b| b.names()).unwrap_or_default();
        self.table.keys().map(String::as_str).chain(base).collect()
    }

    /// Says that the host's answer to `id` depends on nothing but the arguments: the same for every resource.
    pub fn same_for_all(&mut self, id: u16) -> &mut Self {
        self.same_for_all.insert(id);
        self
    }

    fn add(&mut self, signature: &str, code: Code) -> Result<&mut Self, SignatureError> {
        let (name, args, result) = read_signature(signature).ok_or_else(|| SignatureError(signature.to_owned()))?;
        self.table.entry(name).or_default().push(Overload { args, result, code });
        Ok(self)
    }

    /// Every function as written in a signature, sorted: for the reference.
    pub fn signatures(&self) -> Vec<String> {
        let text = |name: &String, o: &Overload| {
            let mut args: Vec<String> = o.args.iter().map(ToString::to_string).collect();
            let receiver = if name.starts_with('.') && !args.is_empty() { args.remove(0) } else { String::new() };
            format!("{receiver}{name}({}) -> {}", args.join(", "), o.result)
        };
        let mut all: Vec<String> = self.table.iter().flat_map(|(n, os)| os.iter().map(move |o| text(n, o))).collect();
        all.extend(self.base.iter().flat_map(|b| b.signatures()));
        all.sort();
        all
    }
}

/// `(name, arguments with the receiver first, result)`.
fn read_signature(text: &str) -> Option<(String, Vec<Type>, Type)> {
    let (call, result) = text.rsplit_once("->")?;
    let call = call.trim().strip_suffix(')')?;
    // The argument list opens at the last parenthesis on the outermost level.
    let (mut depth, mut open) = (0usize, None);
    for (at, c) in call.char_indices() {
        match c {
            '(' => {
                if depth == 0 {
                    open = Some(at);
                }
                depth += 1;
            }
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    let open = open?;
    let (head, args) = (call.get(..open)?, call.get(open + 1..)?);
    let mut types = Vec::new();
    let name = match head.rsplit_once('.') {
        // A receiver is a type; a namespace (`math`, `sets`) is not.
        Some((receiver, name)) if is_receiver(receiver) => {
            types.push(Type::parse(receiver)?);
            format!(".{name}")
        }
        _ => head.trim().to_owned(),
    };
    for arg in split(args) {
        types.push(Type::parse(arg)?);
    }
    let plain = name.trim_start_matches('.');
    let fits = !plain.is_empty() && plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    fits.then_some(())?;
    Some((name, types, Type::parse(result)?))
}

fn is_receiver(text: &str) -> bool {
    !matches!(Type::parse(text), None | Some(Type::Abstract(..)))
}
