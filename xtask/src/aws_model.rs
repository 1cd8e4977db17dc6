//! Derives `clouds/aws/models.bin`: the operations Plumbline calls, out of the official AWS service models.
//!
//! The models are botocore's `data/` (Apache-2.0), installed by pip into a virtual environment of this chore under
//! `target/`. An operation is kept when a kind of the catalog calls it or `clouds/aws/operations.txt` names it, with
//! the shapes its input and output reach and nothing else: no documentation, no constraints, no error shapes.
//!
//! File layout: the magic `PLUMBAWS1`, the length of the index (u32, little endian), the index, the frames.
//! Index and frames are zstd-compressed JSON; each frame is one service, so a client decodes only what it calls.

use crate::{Done, aws_actions, aws_endpoints, aws_pages, root};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

/// The version the committed table is derived from.
const BOTOCORE: &str = "1.44.5";
/// Must be what `clouds/src/aws/model.rs` expects.
const MAGIC: &[u8] = b"PLUMBAWS1";
/// The wire formats the client interprets.
const PROTOCOLS: [&str; 5] = ["json", "query", "ec2", "rest-json", "rest-xml"];

/// Runs the chore; `--botocore DIR` names an installed `botocore/data` instead of installing one.
pub fn run(args: &[String]) -> Done {
    let data = match args {
        [] => install()?,
        [flag, dir] if flag == "--botocore" => PathBuf::from(dir),
        _ => return Err("expected no argument, or --botocore DATA_DIR".into()),
    };
    let version = version_of(&data)?;
    if version != BOTOCORE {
        return Err(format!("botocore {version} is installed, {BOTOCORE} is what this chore is reviewed for"));
    }
    let wanted = wanted()?;
    let partitions = read_json(&data.join("partitions.json"))?;
    let legacy = read_json(&data.join("endpoints.json"))?;
    let mut digest = Sha256::new();
    let (mut index, mut frames, mut rows) = (Vec::new(), Vec::new(), String::new());
    let (mut operations, mut problems) = (0, Vec::new());
    for (service, names) in &wanted {
        match derive(&data, service, names, &partitions, &legacy, &mut digest) {
            Ok(Derived { mut entry, frame, row }) => {
                let packed = compress(&frame)?;
                entry.insert("offset".into(), json!(frames.len()));
                entry.insert("length".into(), json!(packed.len()));
                frames.extend_from_slice(&packed);
                operations += entry.get("operations").and_then(Value::as_object).map_or(0, Map::len);
                index.push(Value::Object(entry));
                rows.push_str(&row);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(format!("{} problems:\n  {}", problems.len(), problems.join("\n  ")));
    }
    let services = index.len();
    let index = compress(&json!({
        "botocore": version,
        "partitions": aws_endpoints::partitions(&partitions),
        "services": index,
    }))?;
    let mut table = MAGIC.to_vec();
    let length = u32::try_from(index.len()).map_err(|e| format!("the index is too large: {e}"))?;
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(&index);
    table.extend_from_slice(&frames);
    let sources = digest.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let out = root().join("clouds/aws");
    write(&out.join("models.bin"), &table)?;
    write(&out.join("MODELS.md"), provenance(&version, &sources, services, operations, &rows).as_bytes())?;
    println!("{services} services, {operations} operations, {} bytes", table.len());
    Ok(())
}

/// Installs botocore into this chore's own virtual environment, once per version, and finds its models.
fn install() -> Done<PathBuf> {
    let venv = root().join(format!("target/aws-models/botocore-{BOTOCORE}"));
    if !venv.join("bin/pip").exists() {
        command(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let package = format!("botocore=={BOTOCORE}");
    command(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--no-input", &package]))?;
    let lib = fs::read_dir(venv.join("lib")).map_err(|e| format!("the virtual environment has no lib: {e}"))?;
    lib.flatten()
        .map(|python| python.path().join("site-packages/botocore/data"))
        .find(|data| data.is_dir())
        .ok_or_else(|| format!("no botocore/data below {}", venv.display()))
}

/// Runs a command to its end; anything but success is an error that names it.
pub fn command(command: &mut Command) -> Done {
    let status = command.status().map_err(|e| format!("cannot run {command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// The version says itself in the package that holds the models.
fn version_of(data: &Path) -> Done<String> {
    let text = fs::read_to_string(data.join("../__init__.py")).map_err(|e| format!("no botocore at {data:?}: {e}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    line.map(|version| version.trim_matches(['\'', '"']).to_owned()).ok_or("botocore does not say its version".into())
}

/// Service → operations, from the base list and from every call the catalog makes.
fn wanted() -> Done<BTreeMap<String, BTreeSet<String>>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let list = root().join("clouds/aws/operations.txt");
    let text = fs::read_to_string(&list).map_err(|e| format!("cannot read {}: {e}", list.display()))?;
    let mut calls: Vec<String> =
        text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned()).collect();
    let mut folders = vec![root().join("catalog/aws")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "kind.toml") {
                let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
                calls.extend(calls_in(&text));
            }
        }
    }
    for call in calls.iter().filter(|call| !call.is_empty()) {
        let (service, operation) =
            call.split_once(':').ok_or_else(|| format!("`{call}` is not a call; write `service:Operation`"))?;
        wanted.entry(service.to_owned()).or_default().insert(operation.to_owned());
    }
    Ok(wanted)
}

/// Every `call = "service:Operation"` of a kind. The catalog's own reader is not used, so that the table can be made
/// before the catalog compiles.
fn calls_in(toml: &str) -> Vec<String> {
    let code: String = toml.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut calls = Vec::new();
    for (at, _) in code.match_indices("call") {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + 4..).unwrap_or_default().trim_start();
        let value = after.strip_prefix('=').map(str::trim_start).and_then(|text| text.strip_prefix('"'));
        if before.is_none_or(|c| c.is_whitespace() || c == '{' || c == ',')
            && let Some((call, _)) = value.and_then(|text| text.split_once('"'))
        {
            calls.push(call.to_owned());
        }
    }
    calls
}

/// One service, reduced.
struct Derived {
    /// Its row of the index: what is needed before the first call.
    entry: Map<String, Value>,
    /// Its operations and shapes.
    frame: Value,
    /// Its line in the provenance page.
    row: String,
}

fn derive(
    data: &Path,
    service: &str,
    names: &BTreeSet<String>,
    partitions: &Value,
    legacy: &Value,
    digest: &mut Sha256,
) -> Done<Derived> {
    let folder = latest(&data.join(service)).ok_or_else(|| format!("botocore has no service `{service}`"))?;
    let raw = read(&folder.join("service-2.json"))?;
    digest.update(&raw);
    let model: Value = serde_json::from_slice(&raw).map_err(|e| format!("{service}: {e}"))?;
    let pages = read(&folder.join("paginators-1.json")).unwrap_or_default();
    digest.update(&pages);
    let pages: Value = serde_json::from_slice(&pages).unwrap_or_default();
    let rules = read(&folder.join("endpoint-rule-set-1.json"))?;
    digest.update(&rules);
    let rules: Value = serde_json::from_slice(&rules).map_err(|e| format!("{service}: {e}"))?;

    let meta = |key: &str| model["metadata"][key].as_str();
    let offered = model["metadata"]["protocols"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let protocol = offered
        .chain(meta("protocol"))
        .find(|name| PROTOCOLS.contains(name))
        .ok_or_else(|| format!("{service}: none of its protocols is one of {}", PROTOCOLS.join(", ")))?;
    let prefix = meta("endpointPrefix").ok_or_else(|| format!("{service}: no endpoint prefix"))?;
    let signing = meta("signingName").unwrap_or(prefix);

    let mut shapes = Shapes { model: &model, ids: BTreeMap::new(), done: Vec::new() };
    let (mut operations, mut actions) = (Map::new(), Map::new());
    for name in names {
        let operation = &model["operations"][name];
        if operation.is_null() {
            return Err(format!("{service}:{name} is no operation of the service"));
        }
        let mut kept = json!({ "m": operation["http"]["method"], "u": operation["http"]["requestUri"] });
        for (from, to) in [("input", "i"), ("output", "o")] {
            if let Some(shape) = operation[from]["shape"].as_str() {
                kept[to] = json!(shapes.id(shape)?);
            }
        }
        put(&mut kept, "w", &operation["output"]["resultWrapper"]);
        put(&mut kept, "n", &operation["input"]["locationName"]);
        put(&mut kept, "x", &operation["input"]["xmlNamespace"]["uri"]);
        put(&mut kept, "h", &operation["endpoint"]["hostPrefix"]);
        if operation["staticContextParams"]["RequiresAccountId"]["value"] == true {
            kept["h"] = json!("{AccountId}.");
        }
        if operation["httpChecksumRequired"] == true || operation["httpChecksum"]["requestChecksumRequired"] == true {
            kept["c"] = json!(true);
        }
        if let Some(page) = aws_pages::paginator(service, name, &model, &pages["pagination"][name]) {
            kept["p"] = page;
        }
        operations.insert(name.clone(), kept);
        actions.insert(name.clone(), json!(aws_actions::action(service, signing, name, operation)));
    }
    let mut entry = Map::new();
    for (key, value) in [("name", service), ("protocol", protocol), ("prefix", prefix), ("signing", signing)] {
        entry.insert(key.into(), json!(value));
    }
    for (key, from) in
        [("id", "serviceId"), ("version", "apiVersion"), ("target", "targetPrefix"), ("json", "jsonVersion")]
    {
        if let Some(value) = meta(from) {
            entry.insert(key.into(), json!(value));
        }
    }
    if !model["metadata"]["awsQueryCompatible"].is_null() && protocol == "json" {
        entry.insert("query_errors".into(), json!(true));
    }
    let fixed = fixed_parameters(&model, &rules, names);
    entry.insert("endpoints".into(), aws_endpoints::derive(service, prefix, &rules, &fixed, partitions)?);
    if let Some(region) = aws_endpoints::only_region(prefix, legacy) {
        entry.insert("only_region".into(), json!(region));
    }
    let missing = aws_endpoints::not_in(prefix, legacy);
    if !missing.is_empty() {
        entry.insert("not_in".into(), json!(missing));
    }
    let row = format!("| {service} | {} | {protocol} | {} |\n", meta("apiVersion").unwrap_or_default(), names.len());
    entry.insert("operations".into(), Value::Object(actions));
    let frame = json!({ "operations": operations, "shapes": shapes.finish()? });
    Ok(Derived { entry, frame, row })
}

/// Endpoint parameters without a default that the operations set for themselves.
fn fixed_parameters(model: &Value, rules: &Value, names: &BTreeSet<String>) -> Map<String, Value> {
    let required = |name: &str| {
        let parameter = &rules["parameters"][name];
        parameter["required"] == true && parameter["default"].is_null()
    };
    let set = names.iter().flat_map(|name| model["operations"][name]["staticContextParams"].as_object());
    let all = set.flatten().filter(|(name, _)| required(name));
    all.map(|(name, parameter)| (name.clone(), parameter["value"].clone())).collect()
}

/// Copies a value that is there.
fn put(target: &mut Value, key: &str, value: &Value) {
    if !value.is_null() {
        target[key] = value.clone();
    }
}

/// The shapes reached so far; each has a number, given when it is first named.
struct Shapes<'a> {
    model: &'a Value,
    ids: BTreeMap<&'a str, usize>,
    done: Vec<&'a str>,
}

impl<'a> Shapes<'a> {
    fn id(&mut self, name: &str) -> Done<usize> {
        let (name, _) = self.model["shapes"]
            .as_object()
            .and_then(|shapes| shapes.get_key_value(name))
            .ok_or_else(|| format!("no shape `{name}`"))?;
        if let Some(id) = self.ids.get(name.as_str()) {
            return Ok(*id);
        }
        let id = self.done.len();
        self.ids.insert(name, id);
        self.done.push(name);
        Ok(id)
    }

    /// Reduces every reached shape; reducing one may reach more.
    fn finish(mut self) -> Done<Vec<Value>> {
        let mut reduced = Vec::new();
        while let Some(name) = self.done.get(reduced.len()).copied() {
            let shape = &self.model["shapes"][name];
            let kind = match shape["type"].as_str().unwrap_or_default() {
                "structure" if shape["document"] == true => "document",
                "structure" => "structure",
                "list" => "list",
                "map" => "map",
                "integer" | "long" | "short" | "byte" | "biginteger" => "integer",
                "float" | "double" | "bigdecimal" => "float",
                "boolean" => "boolean",
                "timestamp" => "timestamp",
                "blob" => "blob",
                "string" | "character" => "string",
                other => return Err(format!("shape `{name}` has the unknown type `{other}`")),
            };
            let mut out = json!({ "k": kind });
            if shape["eventstream"] == true {
                return Err(format!("`{name}` is an event stream, which the client does not read"));
            }
            if let Some(members) = shape["members"].as_object().filter(|_| kind == "structure") {
                let members: Done<Vec<Value>> = members.iter().map(|(n, r)| self.member(n, r)).collect();
                out["m"] = Value::Array(members?);
            }
            for (from, to) in [("member", "e"), ("value", "e"), ("key", "y")] {
                if !shape[from].is_null() {
                    out[to] = self.member("", &shape[from])?;
                }
            }
            for (from, to) in [("payload", "p"), ("required", "r")] {
                put(&mut out, to, &shape[from]);
            }
            reduced.push(out);
        }
        Ok(reduced)
    }

    /// A reference with its traits; those of the shape hold where the reference has none.
    fn member(&mut self, name: &str, reference: &Value) -> Done<Value> {
        let shape = reference["shape"].as_str().ok_or_else(|| format!("member `{name}` has no shape"))?;
        let mut out = json!({ "s": self.id(shape)? });
        if !name.is_empty() {
            out["n"] = json!(name);
        }
        let shape = &self.model["shapes"][shape];
        let traits = [
            ("locationName", "l"),
            ("location", "w"),
            ("queryName", "q"),
            ("flattened", "f"),
            ("xmlAttribute", "a"),
            ("timestampFormat", "t"),
            ("jsonvalue", "j"),
        ];
        for (from, to) in traits {
            let value = if reference[from].is_null() { &shape[from] } else { &reference[from] };
            put(&mut out, to, value);
        }
        put(&mut out, "x", &reference["xmlNamespace"]["uri"]);
        Ok(out)
    }
}

/// The newest API version of a service.
fn latest(folder: &Path) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    versions.retain(|path| path.is_dir());
    versions.sort();
    versions.pop()
}

/// A file that may be stored gzipped.
fn read(path: &Path) -> Done<Vec<u8>> {
    if let Ok(plain) = fs::read(path) {
        return Ok(plain);
    }
    let packed = path.with_extension("json.gz");
    let file = fs::File::open(&packed).map_err(|e| format!("cannot read {}: {e}", packed.display()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("cannot unpack {}: {e}", packed.display()))?;
    Ok(bytes)
}

fn read_json(path: &Path) -> Done<Value> {
    serde_json::from_slice(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))
}

fn compress(value: &Value) -> Done<Vec<u8>> {
    zstd::encode_all(value.to_string().as_bytes(), 19).map_err(|e| format!("cannot compress: {e}"))
}

fn write(path: &Path, bytes: &[u8]) -> Done {
    fs::write(path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn provenance(version: &str, sources: &str, services: usize, operations: usize, rows: &str) -> String {
    format!(
        "# Where `models.bin` comes from\n\n\
         Derived by `cargo xtask aws-models`; do not edit. Run it again after naming a new call in a kind or in\n\
         `operations.txt`.\n\n\
         - Source: the service models, paginators and endpoint rules in `botocore/data`, botocore {version} \
         (<https://github.com/boto/botocore>).\n\
         - Licence: Apache-2.0, Copyright Amazon.com, Inc. or its affiliates.\n\
         - SHA-256 over the source files used, in the order of the table: `{sources}`\n\
         - Changed: reduced to {operations} operations of {services} services and the shapes these reach; \
         documentation, constraints and errors left out; endpoint rules evaluated for every region; pagination \
         added where the models describe none but the shapes carry a token (`xtask/src/aws_pages.rs`); the IAM action \
         of each operation added (`xtask/src/aws_actions.rs`).\n\n\
         | service | API version | protocol | operations |\n|---|---|---|---|\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_calls_of_a_kind() {
        let toml = r#"
            # call = "ec2:DescribeNothing"
            [read]
            list = { call = "sqs:ListQueues", items = "QueueUrls[]" }
            each = [ {call="sqs:GetQueueAttributes"}, { take = "x", call = "sqs:ListQueueTags" } ]
            recall = "not:ThisOne"
        "#;
        assert_eq!(calls_in(toml), ["sqs:ListQueues", "sqs:GetQueueAttributes", "sqs:ListQueueTags"]);
    }
}
