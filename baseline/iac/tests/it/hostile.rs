//! Whatever the text, reading ends soon and without a panic.

use crate::terraform::reading;
use proptest::prelude::*;

const SEED: &str = include_str!("language.tf");

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read(text in "[ -~\n\"{}\\[\\]$%<=:.,()]{0,200}") {
        reading(&[("main.tf", &text), ("x.tf.json", &text), ("terraform.tfvars", &text)]);
    }

    #[test]
    fn mutated_configuration_is_read(cut in 0usize..4000, len in 0usize..40, insert in "[\"{}\\[\\]$%<>=:~,() \n*!?-]{0,6}") {
        let mut text = SEED.to_owned();
        let from = (0..=cut.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap();
        let to = ((from + len).min(text.len())..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap();
        text.replace_range(from..to, &insert);
        text.push_str("\nresource \"aws_x\" \"y\" {\n  v = [local.trimmed, local.obj, local.forobj, local.eot_paren]\n}\n");
        reading(&[("main.tf", &text)]);
    }
}

/// A value with `part` many times, as one attribute.
fn check(hcl: &str) {
    let reading = reading(&[("main.tf", hcl)]);
    let shown: usize = plumb_iac::show(&reading).map(|v| v.to_string().len()).sum();
    assert!(shown < 200_000_000, "{} bytes for {}", shown, &hcl[..hcl.len().min(80)]);
}

#[test]
fn bombs_are_defused() {
    check(&format!("resource \"aws_x\" \"y\" {{\n v = {}1{}\n}}", "(".repeat(20_000), ")".repeat(20_000)));
    check(&format!("resource \"aws_x\" \"y\" {{\n v = {}\n}}", "[".repeat(20_000)));
    check(&format!("resource \"aws_x\" \"y\" {{\n v = {}1\n}}", "!".repeat(20_000)));
    check(&format!("resource \"aws_x\" \"y\" {{\n v = 1{}\n}}", " + 1".repeat(20_000)));
    check(&format!("resource \"aws_x\" \"y\" {{\n v = {}\n}}", "true ? 1 : ".repeat(20_000)));
    check(&format!("resource \"aws_x\" \"y\" {{\n v = \"{}\"\n}}", "${\"".repeat(20_000)));
    check(&"resource \"aws_x\" \"y\" {\n b ".repeat(20_000));
    check("resource \"aws_x\" \"y\" {\n count = 1000000000\n}");
    check(
        "resource \"aws_x\" \"y\" {\n v = [for a in range(1000): [for b in range(1000): [for c in range(1000): c]]]\n}",
    );
    let mut doubling =
        String::from("resource \"aws_x\" \"y\" {\n v = local.a60\n}\nlocals {\n a0 = [\"x\"]\n t0 = \"xxxx\"\n");
    for i in 1..=60 {
        doubling.push_str(&format!(
            " a{i} = [local.a{}, local.a{}]\n t{i} = \"${{local.t{}}}${{local.t{}}}\"\n",
            i - 1,
            i - 1,
            i - 1,
            i - 1
        ));
    }
    doubling.push_str("}\nresource \"aws_x\" \"t\" {\n v = local.t60\n}\n");
    check(&doubling);
    // Giving both sides of a condition one type looks at every part of them, each time.
    let mut wide = String::from(
        "resource \"aws_x\" \"y\" {\n v = [for i in range(1000) : length(true ? local.a19 : [\"b\"])]\n}\nlocals {\n a0 = [1]\n",
    );
    for i in 1..=19 {
        wide.push_str(&format!(" a{i} = true ? [local.a{0}, local.a{0}] : []\n", i - 1));
    }
    wide.push_str("}\n");
    check(&wide);
    let mut chain = String::from("resource \"aws_x\" \"y\" {\n v = local.a3000\n}\nlocals {\n a0 = 1\n");
    for i in 1..=3000 {
        chain.push_str(&format!(" a{i} = local.a{}\n", i - 1));
    }
    check(&(chain + "}\n"));
}
