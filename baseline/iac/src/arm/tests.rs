use super::*;
use crate::resource::{Code, Key, plain};
use crate::source::MemoryFiles;
use serde_json::{Value as Json, json};

const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

fn find<'r>(reading: &'r Reading, address: &str) -> &'r Code {
    reading.resources.iter().find(|c| &*c.address == address).unwrap_or_else(|| {
        panic!("no {address} in {:?}", reading.resources.iter().map(|c| &c.address).collect::<Vec<_>>())
    })
}

fn template(expression: &str) -> String {
    format!(
        r#"{{ // a comment
  "$schema": "{SCHEMA}", "contentVersion": "1.0.0.0",
  "parameters": {{
    "env": {{"type": "string", "defaultValue": "prod"}},
    "open": {{"type": "string"}},
    "pw": {{"type": "secureString", "defaultValue": "x"}},
    "opt": {{"type": "string", "nullable": true}}
  }},
  "variables": {{
    "list": ["a", "b"],
    "obj": {{"k": "v", "copy": [{{"name": "made", "count": 2, "input": {{"i": "[copyIndex('made', 1)]"}}}}]}},
    "copy": [{{"name": "nums", "count": "[length(variables('list'))]", "input": "[concat(variables('list')[copyIndex('nums')], '!')]"}}],
    "sa": "[concat('st', uniqueString(resourceGroup().id))]"
  }},
  "functions": [{{"namespace": "my", "members": {{"twice": {{"parameters": [{{"name": "n", "type": "string"}}], "output": {{"type": "string", "value": "[concat(parameters('n'), parameters('n'))]"}}}}}}}}],
  "resources": [
    {{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[variables('sa')]", "properties": {{}}}},
    {{"type": "Test.X/x", "apiVersion": "1", "name": "x", "p": {expression}}},
  ]
}}"#
    )
}

#[track_caller]
fn known(expression: &str, expected: Json) {
    let reading = read(&MemoryFiles::new([("t.json", template(expression))]), "t.json");
    let found = find(&reading, "Test.X/x/x").attrs.get("p").map(plain);
    assert_eq!(found, Some(expected), "{expression}\n{:?}", reading.problems);
}

#[track_caller]
fn open(expression: &str, describes: &str, kind: &str) {
    let reading = read(&MemoryFiles::new([("t.json", template(expression))]), "t.json");
    let p = find(&reading, "Test.X/x/x").attrs.get("p").unwrap().clone();
    assert!(p.is_unknown(), "{expression} is known: {:?}", p.data);
    assert_eq!(p.describe(), describes, "{expression}");
    assert_eq!(p.why().map_or("ref", |w| w.kind.name()), kind, "{expression}");
}

#[test]
fn expressions_in_strings() {
    known(r#""plain""#, json!("plain"));
    known(r#""[[escaped]""#, json!("[escaped]"));
    known(r#""[not closed""#, json!("[not closed"));
    known(r#""[parameters('env')]""#, json!("prod"));
    known(r#""[PARAMETERS('ENV')]""#, json!("prod"));
    known(r#""[concat('it''s ', parameters('env'))]""#, json!("it's prod"));
    known(r#""[variables('list')[1]]""#, json!("b"));
    known(r#""[variables('nums')]""#, json!(["a!", "b!"]));
    known(r#""[variables('obj').made[1].i]""#, json!(2));
    known(r#""[my.twice('ab')]""#, json!("abab"));
    known(r#""[if(equals(parameters('env'), 'prod'), createObject('a', 1), json('null'))]""#, json!({"a": 1}));
    known(r#""[if(true(), 1, div(1, 0))]""#, json!(1));
    known(r#""[and(true, or(false(), not(false)))]""#, json!(true));
    known(r#""[add(1, mul(2, sub(5, mod(7, 4))))]""#, json!(5));
    known(r#""[lessOrEquals(2, 2)]""#, json!(true));
    known(r#""[greater('b', 'a')]""#, json!(true));
    known(r#""[map(variables('list'), lambda('x', toUpper(lambdaVariables('x'))))]""#, json!(["A", "B"]));
    known(r#""[filter(range(0, 4), lambda('x', less(lambdaVariables('x'), 2)))]""#, json!([0, 1]));
    known(r#""[coalesce(parameters('opt'), 'd')]""#, json!("d"));
    known(r#""[tryGet(variables('obj'), 'no')]""#, json!(null));
    known(r#""[union(variables('obj'), createObject('k', 'w')).k]""#, json!("w"));
    known(r#""[parameters('pw')]""#, json!("(sensitive)"));
    known(
        r#"{"copy": [{"name": "l", "count": 2, "input": "[copyIndex('l')]"}], "m": 1}"#,
        json!({"l": [0, 1], "m": 1}),
    );
    known(r#"{"[concat('a', 'b')]": 1}"#, json!({"ab": 1}));
    open(r#""[parameters('open')]""#, "parameters.open", "input");
    open(
        r#""[resourceId('Microsoft.Storage/storageAccounts', variables('sa'))]""#,
        "Microsoft.Storage/storageAccounts/[st${uniqueString(resourceGroup().id)}].id",
        "ref",
    );
    open(
        r#""[reference(variables('sa')).primaryEndpoints.blob]""#,
        "Microsoft.Storage/storageAccounts/[st${uniqueString(resourceGroup().id)}].properties.primaryEndpoints.blob",
        "ref",
    );
    open(
        r#""[reference(resourceId('Microsoft.Storage/storageAccounts', variables('sa')), '2023-01-01', 'Full').identity.principalId]""#,
        "Microsoft.Storage/storageAccounts/[st${uniqueString(resourceGroup().id)}].identity.principalId",
        "ref",
    );
    open(
        r#""[resourceId('A.B/c', 'n')]""#,
        "/subscriptions/${subscription().subscriptionId}/resourceGroups/${resourceGroup().name}/providers/A.B/c/n",
        "lookup",
    );
    open(r#""[listKeys('x', '1').keys[0].value]""#, "[](listKeys(x).keys).value", "lookup");
    open(r#""[nosuch(1)]""#, "nosuch()", "function");
    open(r#""[deployment().name]""#, "deployment().name", "lookup");
}

#[test]
fn copies_children_conditions_and_nested_templates() {
    let main = format!(
        r#"{{
  "$schema": "{SCHEMA}", "contentVersion": "1.0.0.0",
  "parameters": {{"n": {{"type": "int"}}, "deep": {{"type": "string", "defaultValue": "d"}}}},
  "variables": {{"v": "outer"}},
  "resources": [
    {{"type": "A.B/c", "apiVersion": "1", "name": "[concat('c', copyIndex())]", "copy": {{"name": "loop", "count": 2}}, "properties": {{"i": "[copyIndex('loop', 10)]"}}}},
    {{"type": "A.B/d", "apiVersion": "1", "name": "d", "copy": {{"name": "open", "count": "[parameters('n')]"}}}},
    {{"type": "A.B/off", "apiVersion": "1", "name": "off", "condition": false}},
    {{"type": "A.B/e", "apiVersion": "1", "name": "e", "metadata": {{"checkov": {{"skip": [{{"id": "CKV_1", "comment": "why"}}]}}}},
      "dependsOn": ["[resourceId('A.B/c', 'c1')]", "d"],
      "resources": [{{"type": "f", "apiVersion": "1", "name": "f1", "resources": [{{"type": "A.B/e/f/g", "apiVersion": "1", "name": "e/f1/g1"}}]}}]}},
    {{"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "in", "properties": {{
      "mode": "Incremental", "expressionEvaluationOptions": {{"scope": "inner"}},
      "parameters": {{"p": {{"value": "[parameters('deep')]"}}, "s": {{"reference": {{"keyVault": {{"id": "x"}}, "secretName": "y"}}}}}},
      "template": {{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "parameters": {{"p": {{"type": "string"}}, "s": {{"type": "securestring"}}}},
        "variables": {{"v": "inner"}},
        "resources": [{{"type": "A.B/i", "apiVersion": "1", "name": "i", "v": "[variables('v')]", "p": "[parameters('p')]", "s": "[parameters('s')]"}}],
        "outputs": {{"o": {{"type": "string", "value": "[concat(parameters('p'), '-out')]"}}}}}}}}}},
    {{"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "[concat('out', copyIndex())]", "copy": {{"name": "l", "count": 1}}, "properties": {{
      "mode": "Incremental",
      "template": {{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "variables": {{"v": "inner"}},
        "resources": [{{"type": "A.B/o", "apiVersion": "1", "name": "o", "v": "[variables('v')]", "i": "[copyIndex('l')]"}}]}}}}}},
    {{"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "link", "properties": {{"mode": "Incremental",
      "templateLink": {{"uri": "[uri(deployment().properties.templateLink.uri, 'nested/x.json')]"}},
      "parameters": {{"p": {{"value": "[reference('in').outputs.o.value]"}}}}}}}},
    {{"type": "A.B/z", "apiVersion": "1", "name": "z", "o": "[reference('in').outputs.o.value]", "f": "[resourceId('A.B/e/f', 'e', 'f1')]"}}
  ]
}}"#
    );
    let nested = format!(
        r#"{{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "parameters": {{"p": {{"type": "string"}}}}, "languageVersion": "2.0",
  "resources": {{"sym": {{"type": "A.B/n", "apiVersion": "1", "name": "n", "p": "[parameters('p')]"}}, "old": {{"existing": true, "type": "A.B/n", "apiVersion": "1", "name": "was"}},
    "w": {{"type": "A.B/w", "apiVersion": "1", "name": "w", "r": "[reference('sym').x]"}}}}}}"#
    );
    let files = MemoryFiles::new([("t/main.json", main), ("t/nested/x.json", nested)]);
    let mut reading = Reading::default();
    let used = read_into(&files, "t/main.json", &mut reading);
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["t/nested/x.json"]);
    let names: Vec<&str> = reading.resources.iter().map(|c| &*c.address).collect();
    assert_eq!(
        names,
        [
            "A.B/c/c0",
            "A.B/c/c1",
            "A.B/d/d[*]",
            "A.B/e/e",
            "A.B/e/f/e/f1",
            "A.B/e/f/g/e/f1/g1",
            "Microsoft.Resources/deployments/in.A.B/i/i",
            "Microsoft.Resources/deployments/out0.A.B/o/o",
            "Microsoft.Resources/deployments/link.A.B/n/n",
            "Microsoft.Resources/deployments/link.A.B/n/was",
            "Microsoft.Resources/deployments/link.A.B/w/w",
            "A.B/z/z",
        ],
        "{:?}",
        reading.problems
    );
    assert_eq!(plain(&find(&reading, "A.B/c/c1").attrs)["properties"]["i"], json!(11));
    assert_eq!(find(&reading, "A.B/c/c1").key, Key::Index(1));
    let e = find(&reading, "A.B/e/e");
    assert_eq!((e.skips[0].tool, &*e.skips[0].ids[0]), ("checkov", "CKV_1"));
    assert_eq!(&*e.depends_on[0], "A.B/c/c1");
    assert_eq!(&*find(&reading, "A.B/e/f/e/f1").type_, "A.B/e/f");
    let i = plain(&find(&reading, "Microsoft.Resources/deployments/in.A.B/i/i").attrs);
    assert_eq!((&i["v"], &i["p"], &i["s"]), (&json!("inner"), &json!("d"), &json!("(sensitive)")));
    let o = plain(&find(&reading, "Microsoft.Resources/deployments/out0.A.B/o/o").attrs);
    assert_eq!((&o["v"], &o["i"]), (&json!("outer"), &json!(0)));
    assert_eq!(plain(&find(&reading, "Microsoft.Resources/deployments/link.A.B/n/n").attrs)["p"], json!("d-out"));
    let z = find(&reading, "A.B/z/z");
    assert_eq!(plain(z.attrs.get("o").unwrap()), json!("d-out"));
    assert_eq!(&*z.attrs.get("f").unwrap().edge().unwrap().address, "A.B/e/f/e/f1");
    let w = find(&reading, "Microsoft.Resources/deployments/link.A.B/w/w");
    assert_eq!(&*w.attrs.get("r").unwrap().edge().unwrap().address, "Microsoft.Resources/deployments/link.A.B/n/n");
    assert!(find(&reading, "Microsoft.Resources/deployments/link.A.B/n/was").existing);
}

#[test]
fn broken_and_hostile_templates() {
    let broken = format!(
        r#"{{"$schema": "{SCHEMA}", "resources": [{{"type": "A.B/c", "name": "a"}}, {{"type": "A.B/c", "name": "#
    );
    let reading = read(&MemoryFiles::new([("t.json", broken)]), "t.json");
    assert_eq!((reading.resources.len(), reading.problems.len()), (1, 1));
    let expression =
        format!(r#"{{"$schema": "{SCHEMA}", "resources": [{{"type": "A.B/c", "name": "[concat('a']"}}]}}"#);
    let reading = read(&MemoryFiles::new([("t.json", expression)]), "t.json");
    assert_eq!(reading.problems.len(), 1);
    assert!(reading.problems[0].message.contains("expected `,` or `)`"), "{}", reading.problems[0]);
    for copy in ["1000000000", "-1", "\"[parameters('x')]\""] {
        let text = format!(
            r#"{{"$schema": "{SCHEMA}", "resources": [{{"type": "A.B/c", "name": "n", "copy": {{"name": "l", "count": {copy}}}}}]}}"#
        );
        assert!(read(&MemoryFiles::new([("t.json", text)]), "t.json").resources.len() <= 1);
    }
    let deep = format!(
        r#"{{"$schema": "{SCHEMA}", "resources": [{{"type": "A.B/c", "name": "[{}1{}]"}}]}}"#,
        "not(".repeat(9000),
        ")".repeat(9000)
    );
    assert_eq!(read(&MemoryFiles::new([("t.json", deep)]), "t.json").problems.len(), 1);
}

#[test]
fn a_child_finds_its_parent_by_name_or_by_what_it_waits_for() {
    let text = format!(
        r#"{{"$schema": "{SCHEMA}", "parameters": {{"n": {{"type": "string"}}, "k": {{"type": "string", "defaultValue": "known"}}}}, "resources": [
            {{"type": "A.B/c", "name": "[parameters('n')]"}},
            {{"type": "A.B/c/d", "name": "[concat(parameters('n'), '/one')]"}},
            {{"type": "A.B/c", "name": "[parameters('k')]"}},
            {{"type": "A.B/c/d", "name": "[format('{{0}}/two', parameters('k'))]"}},
            {{"type": "A.B/c/d", "name": "KNOWN/three"}},
            {{"type": "A.B/c/d", "name": "[concat(uniqueString('x'), '/four')]", "dependsOn": ["[resourceId('A.B/c', parameters('k'))]"]}},
            {{"type": "A.B/c/d", "name": "elsewhere/five"}}]}}"#
    );
    let reading = read(&MemoryFiles::new([("t.json", text)]), "t.json");
    let parents: Vec<Option<&str>> = (reading.resources.iter())
        .filter(|c| &*c.type_ == "A.B/c/d")
        .map(|c| c.attrs.get("parent").and_then(|p| p.edge()).map(|e| &*e.address))
        .collect();
    let (open, known) = (Some("A.B/c/[parameters.n]"), Some("A.B/c/known"));
    assert_eq!(parents, [open, known, known, known, None]);
}

#[test]
fn a_deployment_asked_for_early_is_made_once() {
    let nested = |name: &str, copy: &str, label: &str| {
        format!(
            r#"{{"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "{name}", {copy}
  "properties": {{"mode": "Incremental", "expressionEvaluationOptions": {{"scope": "inner"}},
    "parameters": {{"label": {{"value": "{label}"}}}},
    "template": {{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "parameters": {{"label": {{"type": "string"}}}},
      "resources": [{{"type": "Test.X/inner", "apiVersion": "1", "name": "[parameters('label')]", "p": 1}}],
      "outputs": {{"made": {{"type": "string", "value": "[concat(parameters('label'), '!')]"}}}}}}}}}}"#
        )
    };
    let of =
        |name: &str| format!("[reference(resourceId('Microsoft.Resources/deployments', {name})).outputs.made.value]");
    let main = format!(
        r#"{{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "resources": [
  {{"type": "Test.X/x", "apiVersion": "1", "name": "x", "one": "{}", "second": "{}"}},
  {}, {}]}}"#,
        of("'single'"),
        of("format('many-{0}', 1)"),
        nested("single", "", "s"),
        nested(
            "[format('many-{0}', copyIndex())]",
            r#""copy": {"name": "many", "count": 2},"#,
            "[format('m{0}', copyIndex())]"
        ),
    );
    let reading = read(&MemoryFiles::new([("t.json", main)]), "t.json");
    let x = find(&reading, "Test.X/x/x");
    assert_eq!(plain(x.attrs.get("one").unwrap()), json!("s!"));
    assert_eq!(plain(x.attrs.get("second").unwrap()), json!("m1!"));
    let mut names: Vec<Json> = reading
        .resources
        .iter()
        .filter(|c| &*c.type_ == "Test.X/inner")
        .map(|c| plain(c.attrs.get("name").unwrap()))
        .collect();
    names.sort_by_key(Json::to_string);
    assert_eq!(names, [json!("m0"), json!("m1"), json!("s")]);
}

#[test]
fn copy_index_without_a_name_counts_the_resource() {
    let main = format!(
        r#"{{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "resources": [
  {{"type": "Test.X/x", "apiVersion": "1", "name": "[format('x{{0}}', copyIndex())]", "copy": {{"name": "xs", "count": 2}},
    "properties": {{"copy": [{{"name": "parts", "count": 3, "input": "[format('{{0}}-{{1}}', copyIndex(), copyIndex('parts'))]"}}]}}}}]}}"#
    );
    let reading = read(&MemoryFiles::new([("t.json", main)]), "t.json");
    let parts = plain(find(&reading, "Test.X/x/x1").attrs.at("properties.parts").unwrap());
    assert_eq!(parts, json!(["1-0", "1-1", "1-2"]));
}

#[test]
fn names_of_members_are_escaped_as_texts_are() {
    known(r#"{"[[k]": "[[v]"}"#, json!({"[k]": "[v]"}));
    known(r#"{"[parameters('env')]": 1}"#, json!({"prod": 1}));
}

#[test]
fn a_secret_part_leaves_the_rest_in_the_open() {
    known(
        r#""[union(createObject('a', 1), createObject('b', parameters('pw')))]""#,
        json!({"a": 1, "b": "(sensitive)"}),
    );
    known(r#""[createArray('a', parameters('pw'))]""#, json!(["a", "(sensitive)"]));
    known(r#""[concat('a', parameters('pw'))]""#, json!("(sensitive)"));
}

/// P03: a template spec is kept in the subscription, which is told.
#[test]
fn a_linked_template_spec_is_told() {
    let text = format!(
        r#"{{"$schema": "{SCHEMA}", "contentVersion": "1.0.0.0", "resources": [
    {{"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "l", "properties": {{"mode": "Incremental",
      "templateLink": {{"id": "[resourceId('Microsoft.Resources/templateSpecs/versions', 'a', '1')]"}}}}}}]}}"#
    );
    let mut reading = Reading::default();
    read_into(&MemoryFiles::new([("t.json", text)]), "t.json", &mut reading);
    let told: Vec<&str> = reading.problems.iter().map(|p| p.message.as_str()).collect();
    assert!(matches!(told.as_slice(), [one] if one.contains("is not in the repository")), "{told:?}");
}
