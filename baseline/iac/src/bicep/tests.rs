use super::*;
use crate::resource::{Code, Key, plain};
use crate::source::MemoryFiles;
use serde_json::{Value as Json, json};

fn find<'r>(reading: &'r Reading, address: &str) -> &'r Code {
    reading.resources.iter().find(|c| &*c.address == address).unwrap_or_else(|| {
        panic!("no {address} in {:?}", reading.resources.iter().map(|c| &c.address).collect::<Vec<_>>())
    })
}

const HEAD: &str = r#"
param location string = resourceGroup().location
param env string = 'prod'
param size int = 3
param open string
param maybe string?
param names array = ['a', 'b']
param lockIt lock
param one 'only'
@allowed(['fixed'])
param fixed string
@secure()
param password string = 'hunter2'
param cfg object = { a: { b: 1 }, list: [10, 20], 'x-y': true }
type lock = { kind: string }?
var prefix = 'st${env}'
var table = { dev: { sku: 'A', tls: '1.2' }, prod: { sku: 'B', tls: '1.2' } }
func double(n int) int => n * 2
func greet(name string, end string) string => 'hi ${name}${end}'
resource stg 'Microsoft.Storage/storageAccounts@2023-01-01' existing = { name: 'known' }
resource many 'Microsoft.Storage/storageAccounts@2023-01-01' = [for (n, i) in names: { name: '${n}${i}', location: location }]
"#;

#[track_caller]
fn value(expression: &str) -> (crate::value::Val, Reading) {
    let text = format!("{HEAD}resource x 'Test.X/x@1' = {{\n  name: 'x'\n  p: {expression}\n}}\n");
    assert_eq!(check(&text), [], "{expression}");
    let reading = read(&MemoryFiles::new([("main.bicep", text)]), "main.bicep");
    let val = find(&reading, "x").attrs.get("p").unwrap().clone();
    (val, reading)
}

#[track_caller]
fn known(expression: &str, expected: Json) {
    let (val, reading) = value(expression);
    assert_eq!(plain(&val), expected, "{expression}\n{:?}", reading.problems);
}

#[track_caller]
fn open(expression: &str, describes: &str, kind: &str) {
    let (val, _) = value(expression);
    assert!(val.is_unknown(), "{expression} is known: {:?}", val.data);
    assert_eq!(val.describe(), describes, "{expression}");
    assert_eq!(val.why().map_or("ref", |w| w.kind.name()), kind, "{expression}");
}

#[test]
fn operators_and_literals() {
    known("1 + 2 * 3 - 4 / 2 % 3", json!(5));
    known("(1 + 2) * 3", json!(9));
    known("-size", json!(-3));
    known("-5", json!(-5));
    known("!true", json!(false));
    known("1 < 2 && 2 >= 2 || false", json!(true));
    known("'a' == 'a' && 'A' =~ 'a' && 'a' != 'b' && 'A' !~ 'b'", json!(true));
    known("'a' < 'b'", json!(true));
    known("env == 'prod' ? 'yes' : 'no'", json!("yes"));
    known("env == 'dev'\n    ? 'yes'\n    : env == 'prod'\n      ? 'prod'\n      : 'no'", json!("prod"));
    known("null ?? 'x'", json!("x"));
    known("maybe ?? 'default'", json!("default"));
    known("'a${env}b${size}c'", json!("aprodb3c"));
    known(r"'it\'s \${x} \\ \n\u{1F600}'", json!("it's ${x} \\ \n😀"));
    known("'''\na ${env}\n'b' '''", json!("a ${env}\n'b' "));
    known("$'''\na ${env}'''", json!("a prod"));
    known("$$'''a ${env} $${env}'''", json!("a ${env} prod"));
    known("'${'${'deep'}'}'", json!("deep"));
    known("[\n 1\n -2\n 3, 4\n]", json!([1, -2, 3, 4]));
    known("[...[1, 2], 3]", json!([1, 2, 3]));
    known("{ a: 1, ...{ b: 2 }\n 'c d': 3, '${env}x': 4 }", json!({"a": 1, "b": 2, "c d": 3, "prodx": 4}));
    known("cfg.a.b + cfg['a'].b", json!(2));
    known("cfg['x-y']", json!(true));
    known("cfg.?nope.?more ?? 5", json!(5));
    known("cfg[?'nope'] ?? 5", json!(5));
    known("cfg.list[0] + cfg.list[^1]", json!(30));
    known("cfg.list[?9] ?? 1", json!(1));
    known("cfg!.a!.b", json!(1));
    known("table[env].sku", json!("B"));
    known("table[open].tls", json!("1.2"));
    known("one", json!("only"));
    known("fixed", json!("fixed"));
    known("maybe", json!(null));
    known("lockIt", json!(null));
    known("prefix", json!("stprod"));
    known("double(4)", json!(8));
    known("greet(\n  env,\n  '!'\n)", json!("hi prod!"));
    known("[for i in range(0, 3): i * 2]", json!([0, 2, 4]));
    known("[for (n, i) in names: { k: n, i: i }]", json!([{"k": "a", "i": 0}, {"k": "b", "i": 1}]));
    known("password", json!("(sensitive)"));
    known("stg.name", json!("known"));
    known("stg.type", json!("Microsoft.Storage/storageAccounts"));
    known("many[1].name", json!("b1"));
    known("!empty(names) && !contains(names, 'z')", json!(true));
    known("sys.concat('a', 'b')", json!("ab"));
}

#[test]
fn the_function_library() {
    for (expression, expected) in [
        ("map(names, n => '${n}!')", json!(["a!", "b!"])),
        ("map(names, (n, i) => i)", json!([0, 1])),
        ("filter(range(0, 5), i => i > 2)", json!([3, 4])),
        ("reduce([1, 2, 3], 10, (sum, next) => sum + next)", json!(16)),
        ("sort(['b', 'c', 'a'], (x, y) => x < y)", json!(["a", "b", "c"])),
        ("toObject(names, n => n, n => '${n}1')", json!({"a": "a1", "b": "b1"})),
        ("groupBy([{k: 'x', v: 1}, {k: 'x', v: 2}], e => e.k)", json!({"x": [{"k": "x", "v": 1}, {"k": "x", "v": 2}]})),
        ("mapValues({a: 1}, v => v + 1)", json!({"a": 2})),
        ("union({a: {b: 1}}, {a: {c: 2}})", json!({"a": {"b": 1, "c": 2}})),
        ("union([1, 2], [2, 3])", json!([1, 2, 3])),
        ("intersection([1, 2], [2, 3])", json!([2])),
        ("concat([1], [2])", json!([1, 2])),
        ("flatten([[1], [2, 3]])", json!([1, 2, 3])),
        ("items({b: 1, a: 2})", json!([{"key": "a", "value": 2}, {"key": "b", "value": 1}])),
        ("objectKeys({b: 1, a: 2})", json!(["a", "b"])),
        ("shallowMerge([{a: 1}, {a: 2}])", json!({"a": 2})),
        ("first(names)", json!("a")),
        ("last('abc')", json!("c")),
        ("skip([1, 2, 3], 1)", json!([2, 3])),
        ("take('abcdef', 3)", json!("abc")),
        ("length('née')", json!(3)),
        ("length({a: 1})", json!(1)),
        ("indexOf('abcABC', 'C')", json!(2)),
        ("lastIndexOf('abcabc', 'c')", json!(5)),
        ("indexOf(names, 'b')", json!(1)),
        ("join(names, '-')", json!("a-b")),
        ("split('a,b;c', [',', ';'])", json!(["a", "b", "c"])),
        ("split('a,b', ',')", json!(["a", "b"])),
        ("replace('a-b-c', '-', '')", json!("abc")),
        ("substring('abcdef', 2, 3)", json!("cde")),
        ("toLower('ABC')", json!("abc")),
        ("toUpper('abc')", json!("ABC")),
        ("trim('  a ')", json!("a")),
        ("padLeft(7, 3, '0')", json!("007")),
        ("startsWith('Abc', 'aB')", json!(true)),
        ("endsWith('abc', 'bc')", json!(true)),
        ("format('{0}-{1:D3}-{{x}}', 'a', 7)", json!("a-007-{x}")),
        ("string(true)", json!("True")),
        ("string({a: 1})", json!("{\"a\":1}")),
        ("json('{\"a\": [1, null]}').a[0]", json!(1)),
        ("json('1.5')", json!(1.5)),
        ("int('42')", json!(42)),
        ("bool('TRUE')", json!(true)),
        ("array('a')", json!(["a"])),
        ("createObject('a', 1)", json!({"a": 1})),
        ("base64('one')", json!("b25l")),
        ("base64ToString('b25l')", json!("one")),
        ("base64ToJson(base64('{\"a\":1}')).a", json!(1)),
        ("dataUri('a')", json!("data:text/plain;charset=utf8;base64,YQ==")),
        ("dataUriToString(dataUri('a b'))", json!("a b")),
        ("uriComponent('a b/ü')", json!("a%20b%2F%C3%BC")),
        ("uriComponentToString('a%20b')", json!("a b")),
        ("uri('https://x.y/z/a.json', 'b/c.json')", json!("https://x.y/z/b/c.json")),
        (
            "[like('aXbYa', 'a*b*a'), like('a', 'b'), like('', '***'), like('abc**def', '*def')]",
            json!([true, false, true, true]),
        ),
        ("distinct(['a', 'b', 'a'])", json!(["a", "b"])),
        ("min(3, 1, 2)", json!(1)),
        ("max([3, 1])", json!(3)),
        ("coalesce(null, 'x')", json!("x")),
        ("empty('')", json!(true)),
        ("contains({Key: 1}, 'key')", json!(true)),
        ("contains('abc', 'bc')", json!(true)),
        ("tryGet({a: [1]}, 'a', 0)", json!(1)),
        ("tryGet({a: [1]}, 'b', 0) ?? 9", json!(9)),
        ("nameof(names)", json!("names")),
        ("any(1)", json!(1)),
        ("cidrSubnet('10.144.0.0/20', 24, 2)", json!("10.144.2.0/24")),
        ("cidrHost('10.144.3.0/24', 1)", json!("10.144.3.2")),
        ("parseCidr('10.144.0.0/20').lastUsable", json!("10.144.15.254")),
        ("parseCidr('10.144.0.0/20').netmask", json!("255.255.240.0")),
        ("cidrSubnet('fdad:3236:5555::/48', 64, 1)", json!("fdad:3236:5555:1::/64")),
        ("dateTimeAdd('2020-04-07T14:55:00Z', '-P1Y2M9DT1H')", json!("2019-01-29T13:55:00Z")),
        ("dateTimeToEpoch('2020-04-07T14:55:00Z')", json!(1_586_271_300)),
        ("dateTimeFromEpoch(1586271300)", json!("2020-04-07T14:55:00Z")),
        ("environment().suffixes.storage", json!("core.windows.net")),
        ("readEnvironmentVariable('X', 'd')", json!("d")),
        (
            "subscriptionResourceId('a', 'Microsoft.Authorization/roleDefinitions', 'x')",
            json!("/subscriptions/a/providers/Microsoft.Authorization/roleDefinitions/x"),
        ),
        (
            "tenantResourceId('Microsoft.Management/managementGroups', 'm')",
            json!("/providers/Microsoft.Management/managementGroups/m"),
        ),
        (
            "resourceId('s', 'g', 'Microsoft.Network/virtualNetworks/subnets', 'v', 'n')",
            json!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"),
        ),
    ] {
        known(expression, expected);
    }
}

#[test]
fn what_is_not_known_says_why() {
    open("open", "parameters.open", "input");
    open("'a${open}b'", "a${parameters.open}b", "input");
    open("location", "resourceGroup().location", "lookup");
    open("uniqueString(resourceGroup().id)", "uniqueString(resourceGroup().id)", "function");
    open("toLower('ST${uniqueString('a')}')", "st${uniqueString(a)}", "function");
    open("utcNow()", "utcNow()", "function");
    open("newGuid()", "newGuid()", "function");
    open("stg.id", "stg.id", "ref");
    open("stg.properties.primaryEndpoints.blob", "stg.properties.primaryEndpoints.blob", "ref");
    open("many[0].id", "many[0].id", "ref");
    open("stg.listKeys().keys[0].value", "[](stg.listKeys().keys).value", "lookup");
    open("subscription().subscriptionId", "subscription().subscriptionId", "lookup");
    open("open == 'x' ? 1 : 2", "==(parameters.open)", "repeat");
    open("take(open, 3)", "take(parameters.open)", "input");
    open("cfg.nope", "nope", "error");
    open("nosuch", "nosuch", "error");
    open("1 / 0", "arithmetic", "error");
    open("[for x in open: x]", "for", "repeat");
    open("range(0, 1000000000)", "range", "limit");
    known("open == 'x' ? { a: 1, b: 2 } : { a: 1, b: 3 }", json!({"a": 1, "b": {"unknown": "==(parameters.open)"}}));
    known("open == 'x' || true", json!(true));
    known("empty(stg.id)", json!(false));
}

/// Every construct of the grammar; the evaluation of some is tested above.
#[test]
fn the_grammar() {
    for text in [
        "targetScope = 'subscription'",
        "metadata name = 'x'\nmetadata info = {\n  a: [1]\n}",
        "#disable-next-line no-unused-params\nparam a string",
        "#disable-diagnostics BCP081\nparam a string // why\n#restore-diagnostics BCP081",
        "/* block\ncomment */ param a string /* more */ = 'x'",
        "@description('''\nlong\n''')\n@minLength(3)\n@maxLength(24)\nparam a string",
        "@sys.description('x')\n@sys.secure()\nparam a string",
        "@allowed([\n  'a'\n  'b'\n])\nparam a string = 'a'",
        "@secure()\n@minValue(-5)\nparam a int?",
        "@metadata({ example: 'x' })\n\nparam a object = {}",
        "param a string?\nparam b 'x' | 'y' = 'x'\nparam c ('x' | 'y')[]\nparam d 'x'|'y'?\nparam e -1 | 0 | 1",
        "param a {\n  b: string\n  c: int?\n  *: bool\n}",
        "param a {\n  @description('x')\n  @secure()\n  b: string\n\n  'quoted-key': int[]\n  c: {\n    d: string\n  }?\n}[]",
        "param a [string, int]\nparam b [\n  string\n  int?\n]",
        "param a resource 'Microsoft.Storage/storageAccounts@2022-09-01'",
        "param a resourceInput<'Microsoft.Storage/storageAccounts@2023-01-01'>.properties",
        "param a resourceInput<'Microsoft.Storage/storageAccounts@2023-01-01'>.properties.networkAcls?",
        "output a resourceOutput<'Microsoft.Storage/storageAccounts@2023-01-01'>.id = 'x'",
        "param a types.foo\nparam b types.foo[]?\nparam c foo.bar.*\nparam d foo[*]\nparam e foo[0]",
        "param a foo!\nparam b foo.?bar",
        "type a = string\n@export()\ntype b = {\n  kind: 'x'\n} | {\n  kind: 'y'\n}",
        "@discriminator('type')\ntype a = (b | c)?\ntype b = { type: 'b' }\ntype c = { type: 'c', ...d }",
        "type a =\n  | 'x'\n  | 'y'",
        "type a = {\n  *: string\n}\ntype b = string[][]\n@sealed()\ntype c = {}",
        "type a = null | string\ntype b = !true | false",
        "@export()\n@description('x')\nfunc f(a string, b int?) string => '${a}'",
        "func f() object => {\n  a: 1\n}\nfunc g(\n  a string\n  , b string\n) array => [\n  a\n]",
        "@export()\nvar a = 1\nvar b string = 'x'\nvar c { d: string }[] = []",
        "var a = [for i in range(0, 2): i]\nvar b = [for (x, i) in a: {\n  x: x\n}]\nvar c = [\n  for i in range(0, 2): i\n]",
        "import { a, b as c } from 'x.bicep'\nimport * as t from 'y.bicep'\nimport {\n  d\n  'e' as f\n} from 'z.bicep'",
        "import { lockType } from 'br/public:avm/utl/types/avm-common-types:0.5.1'",
        "import 'kubernetes@1.0.0' with {\n  kubeConfig: x\n} as k8s\nprovider 'microsoftGraph@1.0.0'",
        "extension microsoftGraphV1\nextension 'br:mcr.microsoft.com/x:1' as graph\nextension kubernetes with {\n  namespace: 'a'\n} as k",
        "using 'main.bicep'\nparam a = 'x'\nparam b = readEnvironmentVariable('B', 'c')",
        "using none\nextends 'base.bicepparam'\nvar x = 1\nparam y = { a: x }",
        "using 'br/public:a/b:1.0' with {\n  mode: 'stack'\n}",
        "resource a 'X.Y/z@2020-01-01' = { name: 'x' }",
        "resource a 'X.Y/z@2020-01-01' existing = {\n  name: 'x'\n  scope: resourceGroup('y')\n}",
        "resource a 'X.Y/z@2020-01-01' = if (b) {\n  name: 'x'\n}",
        "resource a 'X.Y/z@2020-01-01' = if (!empty(b) && (c || d)) {\n  name: 'x'\n}",
        "@batchSize(1)\nresource a 'X.Y/z@2020-01-01' = [for b in c: {\n  name: b\n}]",
        "resource a 'X.Y/z@2020-01-01' = [for (b, i) in c: if (b.on) {\n  name: b.name\n}]",
        "resource a 'X.Y/z@2020-01-01' = [\n  for b in (c ?? []): if (true) {\n    name: b\n  }\n]",
        "resource a 'X.Y/z@2020-01-01' = {\n  name: 'x'\n\n  resource b 'c' = {\n    name: 'y'\n    resource d 'e' existing = {\n      name: 'z'\n    }\n  }\n  @batchSize(2)\n  resource f 'g@2021-01-01' = [for h in i: {\n    name: h\n  }]\n}",
        "resource a 'X.Y/z@2020-01-01' = {\n  name: 'x'\n  resource: 'a property'\n}",
        "@onlyIfNotExists()\nresource a 'X.Y/z@2020-01-01' = {\n  name: 'x'\n}",
        "module m 'a/b.bicep' = {\n  name: 'x'\n  params: {\n    a: 1\n  }\n}",
        "module m 'a.bicep' = [for i in range(0, 2): if (i > 0) {\n  name: 'x${i}'\n  scope: subscription('y')\n}]",
        "module m 'br/public:avm/res/storage/storage-account:0.9.0' = { }\nmodule n 'ts:sub/rg/spec:1' = { name: 'x' }",
        "output a string = b.outputs.c\noutput d array = [for i in e: i]\n@secure()\noutput f string? = g.?outputs.?h",
        "output a resource 'X.Y/z@2020-01-01' = b",
        "assert a = b > 1\ntest t 'main.bicep' = {\n  params: {}\n}",
        "var a = b::c.name\nvar d = e::f::g.id",
        "var a = b ? c : d ? e : f\nvar g = (b ? [\n  1\n] : [])",
        "var a = b\n  && c\n  || d\nvar e = f ||\n  g",
        "var a = union(\n  b,\n  c ? {} : {\n    d: 1\n  }\n)",
        "var a = b.filter\nvar c = d.type.resource.module.param.existing",
        "var a = map(b, c => {\n  d: c\n})\nvar e = reduce(f, {}, (cur, next) => union(cur, next))\nvar g = map(h, () => 1)",
        "var a = b[c].d![0]!.e!\nvar f = g!\nvar h = i! == j!",
        "var a = b.?c.?d[?0].?e ?? f",
        "var a = {\n  if: 1\n  for: 2\n  in: 3\n  true: 4\n  null: 5\n  'x-${b}': 6\n}",
        "var a = [\n  { b: 1 }, { c: 2 }\n  ...(d ?? [])\n]",
        "var a = '\\u{1F600}\\t\\$\\'${'a'}'",
        "var a = '''\na 'quoted' ''b''''",
        "var a = b.c(d).e\nvar f = az.resourceGroup().name\nvar g = t.h(1)",
        "var a = -b + (-1)\nvar c = !d && !(e)",
        "var a = b\n  .c\n  .d",
        "var a = {}\r\nvar b = []\r\n",
        "\u{feff}var a = 1",
        "param a string {\n  default: 'x'\n  allowed: [\n    'x'\n  ]\n}",
        "param a string = (b == 'x') ? 'y' : 'z'",
        "var a = { b: c ? d : e, f: [1, 2] }",
        "var a = externalInput('sys.cli', 'x')",
        "extensionConfig k8s with {\n  a: 1\n}",
        "var a = b[^1]\nvar c = d[?^2]",
    ] {
        assert_eq!(check(text), [], "{text}");
    }
}

#[test]
fn a_broken_statement_does_not_hide_the_others() {
    let text = "param a string = 'x'\nresource b 'X.Y/z@1' = {\n  name: 'b'\n  broken: = 5\n}\nresource c 'X.Y/z@1' = {\n  name: a\n}\nvar d = 'open\nresource e 'X.Y/z@1' = {\n  name: 'e'\n}\n";
    let reading = read(&MemoryFiles::new([("m.bicep", text)]), "m.bicep");
    let names: Vec<&str> = reading.resources.iter().map(|c| &*c.address).collect();
    assert_eq!(names, ["c", "e"]);
    assert_eq!(reading.problems.len(), 2, "{:?}", reading.problems);
    assert!(reading.problems[0].frame.contains("broken: = 5"), "{}", reading.problems[0].frame);
    for bad in [
        "resource",
        "param",
        "var a = ",
        "var a = [",
        "var a = {",
        "var a = '${",
        "@",
        "module m 'x' = {",
        "type a = {",
        "$",
        "'''",
    ] {
        assert!(!check(bad).is_empty(), "{bad}");
    }
}

#[test]
fn resources_modules_and_loops() {
    let main = r#"
param names array = ['a', 'b']
param count int
param on bool = false
// checkov:skip=CKV_AZURE_1:fine
resource vnet 'Microsoft.Network/virtualNetworks@2023-01-01' = {
  name: 'net'
  location: 'westeurope'
  properties: { addressSpace: { addressPrefixes: ['10.0.0.0/16'] } }
  // plumb:skip=azure.subnet.nsg no machines here
  resource sub 'subnets' = [for (n, i) in names: {
    name: n // checkov:skip=CKV_AZURE_2
    properties: { addressPrefix: cidrSubnet('10.0.0.0/16', 24, i) }
  }]
}
resource more 'Microsoft.Network/virtualNetworks/subnets@2023-01-01' = {
  parent: vnet
  name: 'c'
}
resource off 'X.Y/z@1' = if (on) { name: 'off' }
resource perhaps 'X.Y/z@1' = if (count > 3) { name: 'perhaps' }
resource n 'X.Y/z@1' = [for i in range(0, count): { name: 'n${i}' }]
module st 'modules/storage.bicep' = [for n in names: {
  name: 'st-${n}'
  params: { name: 'st${n}', subnet: vnet::sub[0].id, tags: { a: n } }
}]
module away 'br/public:avm/x:1.0.0' = { name: 'away', params: {} }
module lost 'nowhere.bicep' = { name: 'lost' }
resource lock 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'l'
  scope: vnet
  properties: { level: 'CanNotDelete', notes: st[1].outputs.kind, id: st[0].outputs.id, away: away.outputs.id }
  dependsOn: [more, st]
}
resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' existing = { name: guid(vnet.id) }
"#;
    let storage = r#"
import { kindOf } from '../lib.bicep'
import * as lib from '../lib.bicep'
param name string
param subnet string
param tags object = {}
@secure()
param key string = newGuid()
var inner = loadJsonContent('acl.json')
resource sa 'Microsoft.Storage/storageAccounts@2023-01-01' = {
  name: toLower(name)
  kind: kindOf(true)
  tags: union(tags, { z: lib.suffix })
  properties: { networkAcls: inner, allowBlobPublicAccess: false, key: key, text: loadTextContent('a.txt'), vnet: subnet }
}
output id string = sa.id
output kind string = kindOf(false)
"#;
    let lib = "@export()\nvar suffix = 'lib'\nvar hidden = 'StorageV2'\n@export()\nfunc kindOf(v2 bool) string => v2 ? hidden : 'Storage'\n";
    let files = MemoryFiles::new([
        ("infra/main.bicep", main),
        ("infra/modules/storage.bicep", storage),
        ("infra/lib.bicep", lib),
        ("infra/modules/acl.json", "{ \"defaultAction\": \"Deny\" }"),
        ("infra/modules/a.txt", "hello"),
    ]);
    let mut reading = Reading::default();
    let used = read_into(&files, "infra/main.bicep", &mut reading);
    assert!(used.contains("infra/modules/storage.bicep") && used.contains("infra/lib.bicep"));
    let names: Vec<String> = reading.resources.iter().map(|c| format!("{} {}", c.address, c.type_)).collect();
    assert_eq!(
        names,
        [
            "vnet Microsoft.Network/virtualNetworks",
            "vnet::sub[0] Microsoft.Network/virtualNetworks/subnets",
            "vnet::sub[1] Microsoft.Network/virtualNetworks/subnets",
            "more Microsoft.Network/virtualNetworks/subnets",
            "perhaps X.Y/z",
            "n[*] X.Y/z",
            "st[0].sa Microsoft.Storage/storageAccounts",
            "st[1].sa Microsoft.Storage/storageAccounts",
            "lock Microsoft.Authorization/locks",
            "role Microsoft.Authorization/roleAssignments",
        ]
    );
    let sub = plain(&find(&reading, "vnet::sub[1]").attrs);
    assert_eq!((&sub["name"], &sub["properties"]["addressPrefix"]), (&json!("net/b"), &json!("10.0.1.0/24")));
    assert_eq!(plain(&find(&reading, "more").attrs)["name"], json!("net/c"));
    let skips = |address: &str| find(&reading, address).skips.iter().map(|s| s.ids[0].to_string()).collect::<Vec<_>>();
    assert_eq!(skips("vnet"), ["CKV_AZURE_1"]);
    assert_eq!(skips("vnet::sub[0]"), ["azure.subnet.nsg", "CKV_AZURE_2"]);
    assert!(find(&reading, "role").existing);
    let sa = find(&reading, "st[1].sa");
    let shown = plain(&sa.attrs);
    assert_eq!(shown["name"], json!("stb"));
    assert_eq!(shown["kind"], json!("StorageV2"));
    assert_eq!(shown["tags"], json!({"a": "b", "z": "lib"}));
    assert_eq!(shown["properties"]["networkAcls"], json!({"defaultAction": "Deny"}));
    assert_eq!(shown["properties"]["key"], json!("(sensitive)"));
    assert_eq!(shown["properties"]["text"], json!("hello"));
    assert_eq!(sa.module.len(), 1);
    assert_eq!(
        (&*sa.module[0].address, &*sa.module[0].source, sa.key.clone()),
        ("st[1]", "modules/storage.bicep", Key::None)
    );
    assert_eq!(&*sa.attrs.at("properties.vnet").unwrap().edge().unwrap().address, "vnet::sub[0]");
    let lock = find(&reading, "lock");
    assert_eq!(&*lock.attrs.at("scope").unwrap().edge().unwrap().address, "vnet");
    assert_eq!(&*lock.attrs.at("properties.id").unwrap().edge().unwrap().address, "st[0].sa");
    assert_eq!(plain(lock.attrs.at("properties.notes").unwrap()), json!("Storage"));
    assert_eq!(lock.attrs.at("properties.away").unwrap().why().unwrap().kind.name(), "module");
    assert_eq!(lock.depends_on.iter().map(|d| &**d).collect::<Vec<_>>(), ["more", "st"]);
    assert_eq!(find(&reading, "n[*]").key, Key::Any);
    let messages: Vec<&str> = reading.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(reading.sources.place(sa.attrs.at("properties.allowBlobPublicAccess").unwrap().span).line, 14);
}

#[test]
fn parameter_files_give_values() {
    let files = MemoryFiles::new([
        (
            "main.bicep",
            "param a string\nparam b int = 1\nparam c object\nresource x 'X.Y/z@1' = { name: a, b: b, c: c }",
        ),
        ("base.bicepparam", "using none\nparam b = 7\n"),
        (
            "dev.bicepparam",
            "using './main.bicep'\nextends 'base.bicepparam'\nvar t = 'n'\nparam a = '${t}1'\nparam c = { k: [t] }\n",
        ),
        ("json.bicep", "param a string\nresource x 'X.Y/z@1' = { name: a }"),
        (
            "json.parameters.json",
            "{\"$schema\": \"deploymentParameters.json#\", \"parameters\": {\"a\": {\"value\": \"v\"}}}",
        ),
    ]);
    let reading = read(&files, "dev.bicepparam");
    let x = find(&reading, "x");
    assert_eq!(plain(&x.attrs), json!({"name": "n1", "b": 7, "c": {"k": ["n"]}, "apiVersion": "1"}));
    assert_eq!(&*x.root, "dev.bicepparam");
    assert_eq!(&*reading.sources.place(x.attrs.get("name").unwrap().origin()).file, "dev.bicepparam");
    assert_eq!(plain(&find(&read(&files, "json.bicep"), "x").attrs)["name"], json!("v"));
}

#[test]
fn bombs_end() {
    let doubling: String =
        (1..60).map(|i| format!("var v{i} = [v{0}, v{0}]\nvar s{i} = '${{s{0}}}${{s{0}}}'\n", i - 1)).collect();
    for text in [
        format!(
            "var v0 = 'x'\nvar s0 = 'xxxxxxxx'\n{doubling}resource x 'X.Y/z@1' = {{ name: s59, v: v59, j: string(v59), e: v59 == v58 }}"
        ),
        "resource x 'X.Y/z@1' = [for i in range(0, 1000000000): { name: 'a' }]".to_owned(),
        "resource x 'X.Y/z@1' = [for i in range(0, 2000): { name: 'a', v: [for j in range(0, 20000): j] }]".to_owned(),
        "var a = b\nvar b = a\nresource x 'X.Y/z@1' = { name: a }".to_owned(),
        "func f(a int) int => f(a + 1)\nresource x 'X.Y/z@1' = { name: f(1) }".to_owned(),
        "module m 'm.bicep' = { name: 'm' }\nmodule n 'm.bicep' = { name: 'n' }\nresource x 'X.Y/z@1' = { name: 'a' }"
            .to_owned(),
        format!("var a = {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("var a = {}{}", "[".repeat(5000), "]".repeat(5000)),
        format!("var a = {}1", "!".repeat(5000)),
        format!("param a {}string", "(".repeat(5000)),
        format!("var a = {}'x'", "'${".repeat(5000)),
        format!("var a = 1{}", " + 1".repeat(5000)),
        format!("var a = b{}", ".c".repeat(5000)),
    ] {
        let reading = read(&MemoryFiles::new([("m.bicep", text)]), "m.bicep");
        assert!(reading.resources.len() <= 50_000);
    }
}

#[test]
fn the_name_of_a_child_is_the_one_it_declares() {
    let text = "param vault string\nresource kv 'Test.K/vaults@2023-01-01' = {\n  name: vault\n\n  resource nested 'secrets' = {\n    name: 'inside'\n  }\n}\nresource key 'Test.K/vaults/keys@2023-01-01' = {\n  parent: kv\n  name: 'beside'\n}\nresource x 'Test.X/x@1' = {\n  name: 'x'\n  p: [key.name, key.type, kv::nested.name, kv::nested.type, kv::nested.apiVersion]\n}\n";
    let reading = read(&MemoryFiles::new([("t.bicep", text)]), "t.bicep");
    let p = reading.resources.iter().find(|c| &*c.address == "x").and_then(|c| c.attrs.get("p")).map(plain);
    let expected = json!(["beside", "Test.K/vaults/keys", "inside", "Test.K/vaults/secrets", "2023-01-01"]);
    assert_eq!(p, Some(expected), "{:?}", reading.problems);
    let key =
        reading.resources.iter().find(|c| &*c.address == "key").and_then(|c| c.attrs.get("name")).map(Val::describe);
    assert_eq!(key.as_deref(), Some("${parameters.vault}/beside"));
}

#[test]
fn a_bracket_left_open_costs_its_own_statement_only() {
    let text = "var list = [1, 2\nresource a 'Test.X/x@1' = {\n  name: 'a'\n}\n@description('broken')\nresource b 'Test.X/x@1' = {\n  name: {\n@description('whole')\nparam p string = 'v'\nresource c 'Test.X/x@1' = {\n  name: p\n}\n";
    let reading = read(&MemoryFiles::new([("t.bicep", text)]), "t.bicep");
    let names: Vec<Json> = reading.resources.iter().filter_map(|c| c.attrs.get("name")).map(plain).collect();
    assert_eq!(names, [json!("a"), json!("v")], "{:?}", reading.problems);
    assert_eq!(reading.problems.len(), 2, "{:?}", reading.problems);
}
