//! Cells of comma-separated values that no spreadsheet runs.

/// A CSV cell (RFC 4180), quoted where need be. What a spreadsheet would read as a formula, behind spaces too, is made
/// text by an apostrophe before it; a plain number stays one.
pub fn csv_cell(text: &str) -> String {
    let bare = text.trim_start_matches([' ', '\u{feff}', '\u{a0}']);
    let runs = bare.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
        && text.parse::<f64>().is_err();
    let text = if runs { format!("'{text}") } else { text.to_owned() };
    if runs || text.contains(['"', ',', ';', '\n', '\r', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn formulas_become_text() {
        fn check(text: &str, want: &str) {
            assert_eq!(csv_cell(text), want);
        }
        check("", "");
        check("plain", "plain");
        check("a,b", "\"a,b\"");
        check("say \"x\"", "\"say \"\"x\"\"\"");
        check("two\nlines", "\"two\nlines\"");
        check("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\"");
        check("@SUM(A1)", "\"'@SUM(A1)\"");
        check("-2+3+cmd|' /C calc'!A0", "\"'-2+3+cmd|' /C calc'!A0\"");
        check("-12.5", "-12.5");
        check("+49 30", "\"'+49 30\"");
        check(" =1", "\"' =1\"");
        check("\t=1", "\"'\t=1\"");
    }
}
