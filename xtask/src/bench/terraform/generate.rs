//! Configurations made from parameters: how the pieces (`pieces/`, modules that call modules) are called, how often, how
//! deep, and with which values.

use super::{copy, write};
use crate::Done;
use std::{fmt::Write as _, path::Path};

/// How many are made.
const ROOTS: usize = 32;

const CALLS: [&str; 4] = ["once", "count", "set", "map"];

/// One call of the outermost piece, in the shape `how`.
fn call(piece: &str, at: usize, how: &str, out: &mut String) {
    let own = |out: &mut String, key: &str, tail: &str| {
        let _ = write!(
            out,
            "  source = \"./pieces/{piece}\"\n  name   = \"${{local.prefix}}-{at}{key}\"\n  tags   = merge(local.tags, {{ call = \"{piece}\" }})\n{tail}}}\n\n"
        );
    };
    let _ = writeln!(out, "module \"{piece}_{at}\" {{");
    match how {
        "count" => {
            let _ = writeln!(out, "  count  = {} + length(local.zones) - 2", at % 3 + 1);
            own(out, "-${count.index}", "  index  = count.index\n  wide   = count.index % 2 == 0\n");
        }
        "set" => {
            let _ = writeln!(out, "  for_each = toset([for z in local.zones : upper(z) if z != \"none\"])");
            own(
                out,
                "-${lower(each.key)}",
                &format!("  index  = {at}\n  wide   = each.value == \"A\" ? true : null\n"),
            );
        }
        "map" => {
            let _ = writeln!(out, "  for_each = {{ for k, v in var.sites : k => v if v.enabled }}");
            own(
                out,
                "-${each.key}",
                "  index  = each.value.index\n  wide   = try(each.value.options.wide, false)\n  rules  = each.value.rules\n",
            );
        }
        _ => own(out, "", &format!("  index  = {at}\n")),
    }
}

/// The root module of one configuration.
fn main(seed: usize) -> String {
    let mut out = format!(
        "terraform {{\n  required_providers {{\n    aws = {{\n      source = \"hashicorp/aws\"\n    }}\n  }}\n}}\n\n\
         provider \"aws\" {{\n  region = \"eu-west-{}\"\n  # without an account\n",
        seed % 3 + 1
    );
    if seed.is_multiple_of(2) {
        let _ = writeln!(
            out,
            "  default_tags {{\n    tags = {{\n      estate = \"e{seed}\"\n      call   = \"default\"\n    }}\n  }}"
        );
    }
    let _ = write!(
        out,
        "}}\n\nlocals {{\n  prefix = join(\"-\", compact([var.team, \"\", \"r{seed}\"]))\n  zones  = slice([\"a\", \"b\", \"c\", \"d\"], 0, {})\n  \
         tags   = {{ for k, v in merge(var.tags, {{ seed = {seed} }}) : k => tostring(v) if v != null }}\n}}\n\n",
        seed % 3 + 2
    );
    for (at, piece) in ["network", "storage", "access", "compute"].into_iter().enumerate() {
        let how = CALLS[(seed + at + seed / 4) % CALLS.len()];
        call(piece, at, how, &mut out);
        let _ = write!(out, "output \"{piece}\" {{\n  value = module.{piece}_{at}\n}}\n\n");
    }
    out
}

/// The variables, with defaults that the values beside them replace in part.
fn variables() -> &'static str {
    "variable \"team\" {\n  default = null\n}\n\nvariable \"tags\" {\n  type    = map(string)\n  default = { owner = \"nobody\", empty = null }\n}\n\n\
     variable \"sites\" {\n  type = map(object({\n    index   = number\n    enabled = optional(bool, true)\n    rules   = optional(map(object({ port = number, cidrs = optional(list(string), [\"10.0.0.0/8\"]) })), {})\n    \
     options = optional(object({ wide = optional(bool) }))\n  }))\n  default = { solo = { index = 9 } }\n}\n"
}

fn values(seed: usize) -> String {
    let mut out = format!("tags = {{\n  owner = \"team{seed}\"\n  n     = {seed}\n  on    = true\n}}\n\nsites = {{\n");
    for site in 0..seed % 4 + 1 {
        let _ = writeln!(
            out,
            "  site{site} = {{\n    index   = \"{site}\"\n    enabled = {}\n    rules   = {{ https = {{ port = {} }}, ssh = {{ port = \"22\", cidrs = [\"192.0.2.{site}/32\", \"10.{seed}.0.0/16\"] }} }}{}\n  }}",
            site % 3 != 2,
            443 + site,
            if site % 2 == 0 { "\n    options = { wide = true }" } else { "" }
        );
    }
    out.push_str("}\n");
    out
}

/// Writes all of them below `base`.
pub fn roots(pieces: &Path, base: &Path) -> Done {
    for seed in 0..ROOTS {
        let dir = base.join(format!("made-{seed:02}"));
        copy(pieces, &dir.join("pieces"))?;
        write(&dir.join("main.tf"), &main(seed))?;
        write(&dir.join("variables.tf"), variables())?;
        // The files of values Terraform loads itself, in its order: the last one wins.
        if !seed.is_multiple_of(5) {
            write(&dir.join("terraform.tfvars"), &values(seed))?;
        }
        if seed.is_multiple_of(3) {
            write(&dir.join("a.auto.tfvars"), &format!("team = \"early{seed}\"\n"))?;
            write(&dir.join("b.auto.tfvars"), &format!("team = \"late{seed}\"\n"))?;
        }
    }
    Ok(())
}
