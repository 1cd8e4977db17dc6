//! All templates of a repository: which files are templates, which of them are roots, and their readings together.

use crate::document::Node;
use crate::resource::Reading;
use crate::source::{Files, join};
use crate::{arm, bicep, cloudformation};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Template {
    /// A CloudFormation or serverless template, YAML or JSON.
    CloudFormation,
    /// An Azure Resource Manager template.
    Arm,
    /// Values for an Azure Resource Manager template.
    ArmParameters,
    /// A Bicep file.
    Bicep,
    /// A Bicep parameter file.
    BicepParameters,
}

/// Folders that hold copies or tools, never the author's templates.
const SKIPPED: [&str; 6] = [".git", "node_modules", ".terraform", ".venv", "__pycache__", ".aws-sam"];
/// Folders nested deeper than this are not entered.
const MAX_FOLDERS: usize = 64;
/// A file larger than this is no template: the services refuse templates beyond 4 MB.
const MAX_BYTES: usize = 32 << 20;

/// What the file at `path` with these bytes is, or none when it is no template. Bicep is told by its extension,
/// everything else by its content.
pub fn detect(path: &str, bytes: &[u8]) -> Option<Template> {
    let guess = guess(path, bytes)?;
    if matches!(guess, Template::Bicep | Template::BicepParameters) {
        return Some(guess);
    }
    let text = String::from_utf8_lossy(bytes);
    let parsed = cloudformation::parse_text(&text);
    parsed.documents.iter().find_map(of_document)
}

fn of_document(root: &Node) -> Option<Template> {
    if cloudformation::is_template(root) {
        Some(Template::CloudFormation)
    } else if arm::is_parameters(root) {
        Some(Template::ArmParameters)
    } else if arm::is_template(root) {
        Some(Template::Arm)
    } else {
        None
    }
}

/// What the file may be, by its name and a look at its bytes.
fn guess(path: &str, bytes: &[u8]) -> Option<Template> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "bicep" => return Some(Template::Bicep),
        "bicepparam" => return Some(Template::BicepParameters),
        "json" | "jsonc" | "json5" | "yaml" | "yml" | "template" | "cfn" | "cform" => {}
        _ => return None,
    }
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    if text.contains("AWSTemplateFormatVersion") {
        return Some(Template::CloudFormation);
    }
    if matches!(extension, "json" | "jsonc" | "json5" | "template") {
        if find_nocase(&text, "deploymenttemplate.json") {
            return Some(Template::Arm);
        }
        if find_nocase(&text, "deploymentparameters.json") {
            return Some(Template::ArmParameters);
        }
        if text.contains("\"contentVersion\"") && text.contains("\"resources\"") {
            return Some(Template::Arm);
        }
    }
    (text.contains("AWS::") && text.contains("Resources") && text.contains("Type")).then_some(Template::CloudFormation)
}

fn find_nocase(text: &str, lower: &str) -> bool {
    let first = lower.as_bytes().first().copied().unwrap_or(0);
    text.bytes().enumerate().filter(|(_, b)| b.to_ascii_lowercase() == first).any(|(at, _)| {
        text.as_bytes().get(at..at + lower.len()).is_some_and(|w| w.eq_ignore_ascii_case(lower.as_bytes()))
    })
}

/// Reads every template of the repository. Roots are the templates nobody calls: nested stacks, modules, linked
/// templates and the template a parameter file is for belong to their callers, and ARM compiled from a Bicep file
/// beside it is left out.
pub fn read(files: &dyn Files) -> Reading {
    let mut found = BTreeMap::new();
    walk(files, "", 0, &mut found);
    read_these(files, &found)
}

/// As [`read`], of the templates listed only: paths with what [`detect`] said of them.
pub fn read_these(files: &dyn Files, found: &BTreeMap<String, Template>) -> Reading {
    let mut reading = Reading::default();
    let mut used = called(files, found);
    for (path, template) in found {
        if used.contains(path) {
            continue;
        }
        used.extend(match template {
            Template::CloudFormation => cloudformation::read_into(files, path, &mut reading),
            Template::Arm if compiled(files, path) => BTreeSet::new(),
            Template::Arm => arm::read_into(files, path, &mut reading),
            Template::Bicep | Template::BicepParameters => bicep::read_into(files, path, &mut reading),
            Template::ArmParameters => BTreeSet::new(),
        });
    }
    // A template read as a root before its caller was known belongs to the caller all the same.
    reading.resources.retain(|code| !used.contains(&*code.root));
    let mut told = HashSet::new();
    let mut problems = std::mem::take(&mut reading.problems);
    problems.retain(|p| told.insert((p.message.clone(), p.place.file.clone(), p.place.line, p.place.column)));
    reading.problems = problems;
    reading
}

fn walk(files: &dyn Files, folder: &str, depth: usize, found: &mut BTreeMap<String, Template>) {
    if depth > MAX_FOLDERS {
        return;
    }
    for entry in files.list(folder) {
        let path = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
        if entry.folder {
            if !SKIPPED.contains(&entry.name.as_str()) {
                walk(files, &path, depth + 1, found);
            }
        } else if let Some(bytes) = may_be(&entry.name).then(|| files.read(&path)).flatten()
            && let Some(template) = guess(&path, &bytes)
        {
            found.insert(path, template);
        }
    }
}

fn may_be(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["bicep", "bicepparam", "json", "jsonc", "json5", "yaml", "yml", "template", "cfn", "cform"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// The Bicep files that others name as modules, imports or templates, found without evaluating anything.
fn called(files: &dyn Files, found: &BTreeMap<String, Template>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (path, template) in found {
        if !matches!(template, Template::Bicep | Template::BicepParameters) {
            continue;
        }
        let Some(bytes) = files.read(path) else { continue };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.trim_start();
            let names = ["module ", "using ", "import ", "extends "].iter().any(|word| line.starts_with(word))
                || line.starts_with('}') && line.contains(" from ");
            let quoted = names.then(|| line.split('\'').nth(1)).flatten();
            if let Some(target) = quoted.and_then(|q| join(folder, q))
                && target != *path
            {
                used.insert(target);
            }
        }
    }
    used
}

/// Whether an ARM template was compiled from the Bicep file beside it.
fn compiled(files: &dyn Files, path: &str) -> bool {
    let Some(stem) = path.strip_suffix(".json") else { return false };
    let generated = || {
        let bytes = files.read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let head: String = text.chars().take(2_000).collect();
        Some(head.contains("\"_generator\"") && head.contains("\"bicep\""))
    };
    files.read(&format!("{stem}.bicep")).is_some() && generated().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemoryFiles;
    use proptest::prelude::*;

    fn check(path: &str, text: &str, expected: Option<Template>) {
        assert_eq!(detect(path, text.as_bytes()), expected, "{path}: {text}");
    }

    #[test]
    fn files_are_told_by_extension_and_content() {
        let arm = r#"{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/DeploymentTemplate.json#"}"#;
        let values =
            r#"{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"}"#;
        check("a.bicep", "", Some(Template::Bicep));
        check("a.bicepparam", "", Some(Template::BicepParameters));
        check("a.json", arm, Some(Template::Arm));
        check("a.json", values, Some(Template::ArmParameters));
        check("a.yaml", "AWSTemplateFormatVersion: 2010-09-09", Some(Template::CloudFormation));
        check("a.yml", "Resources:\n  A:\n    Type: AWS::S3::Bucket\n", Some(Template::CloudFormation));
        check("a.json", r#"{"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}"#, Some(Template::CloudFormation));
        check(
            "a.template",
            "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: 'AWS::Serverless::Function'}}",
            Some(Template::CloudFormation),
        );
        check("a.yaml", "kind: Pod\nResources: AWS::\nType: x", None);
        check("a.json", r#"{"resources": []}"#, None);
        check("a.txt", "AWSTemplateFormatVersion: 2010-09-09", None);
    }

    #[test]
    fn roots_are_what_nobody_calls() {
        let arm = |name: &str, head: &str| {
            format!(
                r#"{{"$schema": "deploymentTemplate.json", {head} "resources": [{{"type": "A.B/c", "name": "{name}"}}]}}"#
            )
        };
        let files = MemoryFiles::new([
            ("a/child.yaml", "Resources: {C: {Type: 'AWS::S3::Bucket'}}".to_owned()),
            (
                "a/root.yaml",
                "Resources: {S: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: child.yaml}}}"
                    .to_owned(),
            ),
            ("b/main.bicep", "module m 'mod/m.bicep' = { name: 'm' }".to_owned()),
            ("b/main.json", arm("compiled", r#""metadata": {"_generator": {"name": "bicep"}},"#)),
            ("b/mod/m.bicep", "resource r 'A.B/c@1' = { name: 'r' }".to_owned()),
            ("c/t.bicep", "param p string\nresource r 'A.B/c@1' = { name: p }".to_owned()),
            ("c/one.bicepparam", "using 't.bicep'\nparam p = '1'".to_owned()),
            ("c/two.bicepparam", "using 't.bicep'\nparam p = '2'".to_owned()),
            ("d/t.json", arm("own", "")),
            ("d/broken.bicep", "resource r 'A.B/c@1' = {".to_owned()),
            ("node_modules/x.bicep", "resource r 'A.B/c@1' = { name: 'no' }".to_owned()),
        ]);
        let reading = read(&files);
        let names: Vec<String> = reading.resources.iter().map(|c| format!("{} {}", c.root, c.address)).collect();
        assert_eq!(
            names,
            [
                "a/root.yaml S/C",
                "a/root.yaml S",
                "b/main.bicep m.r",
                "c/one.bicepparam r",
                "c/two.bicepparam r",
                "d/t.json A.B/c/own",
            ]
        );
        assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
    }

    const SEEDS: [(&str, &str); 4] = [
        (
            "t.bicep",
            "@secure()\nparam a string?\nvar b = [for (x, i) in range(0, 3): { y: '${x}a', z: a.?b ?? c!.d[0] }]\ntype t = { a: 'x' | 'y', *: int[]? }?\nfunc f(x int) int => x > 1 ? f(x - 1) : -x\nimport { q as r } from 'o.bicep'\nresource s 'A.B/c@1' = [for i in b: if (i.y != '''q''') {\n  name: '${f(2)}'\n  parent: s\n  resource n 'd' = { name: 'n', p: map(b, e => e.z) }\n}]\nmodule m 't.bicep' = { name: 'm', params: { a: s[0].id } }\noutput o string = m.outputs.o\n",
        ),
        (
            "t.yaml",
            "Transform: AWS::Serverless-2016-10-31\nParameters:\n  P: {Type: CommaDelimitedList, Default: 'a,b'}\nConditions: {C: !Equals [!Ref P, x], D: !Not [!Condition C]}\nResources:\n  A: &a\n    Type: AWS::S3::Bucket\n    Condition: D\n    Properties: {X: !Sub '${A.Arn}-${P}', Y: !If [C, !Ref A, !Ref AWS::NoValue], Z: !Select [0, !Split [',', !Join [',', !Ref P]]]}\n  B:\n    <<: *a\n  F: {Type: 'AWS::Serverless::Function', Properties: {Events: {E: {Type: Api}}, Policies: [x]}}\n  'Fn::ForEach::L': [N, !Ref P, {'R${N}': {Type: 'AWS::SNS::Topic'}}]\n  S: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: t.yaml}}\nOutputs: {O: {Value: !GetAtt S.Outputs.O}}\n",
        ),
        (
            "t.json",
            "{\"$schema\": \"deploymentTemplate.json\", // c\n\"parameters\": {\"p\": {\"type\": \"string\", \"defaultValue\": \"[concat('a', variables('v'))]\"}}, \"variables\": {\"v\": \"[parameters('p')]\", \"copy\": [{\"name\": \"l\", \"count\": 3, \"input\": \"[copyIndex('l')]\"}]}, \"resources\": [{\"type\": \"A.B/c\", \"name\": \"[format('n{0}', copyIndex())]\", \"copy\": {\"name\": \"x\", \"count\": \"[length(variables('l'))]\"}, \"resources\": [{\"type\": \"d\", \"name\": \"e\"}]}, {\"type\": \"Microsoft.Resources/deployments\", \"name\": \"d\", \"properties\": {\"template\": {\"resources\": [], \"outputs\": {\"o\": {\"value\": \"[reference('d').outputs.o.value]\"}}}, \"parameters\": {\"p\": {\"value\": \"[reference('d').outputs.o.value]\"}}}}]}",
        ),
        ("t.bicepparam", "using 't.bicep'\nextends 'b.bicepparam'\nvar v = { a: 1 }\nparam a = '${v.a}'\n"),
    ];

    fn mutate(text: &str, edits: &[(usize, u8, String)]) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, what, with) in edits {
            let at = at % (chars.len() + 1);
            match what % 4 {
                0 => {
                    let end = (at + 1 + with.len()).min(chars.len());
                    chars.drain(at..end);
                }
                1 => {
                    chars.splice(at..at, with.chars());
                }
                2 => chars.truncate(at.max(20)),
                _ => {
                    let end = (at + 40).min(chars.len());
                    let piece: Vec<char> = chars[at..end].to_vec();
                    let to = (at * 7 + 3) % (chars.len() + 1);
                    chars.splice(to..to, piece);
                }
            }
        }
        chars.into_iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn mutated_templates_never_panic_or_hang(
            seed in 0..SEEDS.len(),
            edits in prop::collection::vec((any::<usize>(), any::<u8>(), "[ \\n'\"${}\\[\\]():,.!?a-z0-9&*<=>|-]{0,6}"), 1..6),
        ) {
            let (path, text) = SEEDS[seed];
            let text = mutate(text, &edits);
            let files = MemoryFiles::new([(path.to_owned(), text.clone()), ("o.bicep".to_owned(), SEEDS[0].1.to_owned())]);
            let reading = read(&files);
            for code in &reading.resources {
                let place = reading.sources.place(code.span);
                prop_assert!(place.line >= 1 && code.span.start <= code.span.end);
            }
            prop_assert!(crate::resource::show(&reading).count() == reading.resources.len());
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,80}") {
            for path in ["a.bicep", "a.json", "a.yaml"] {
                let files = MemoryFiles::new([(path, text.as_str())]);
                read(&files);
                cloudformation::read(&files, path);
                arm::read(&files, path);
            }
        }
    }
}
