//! Arithmetic of decimal numbers. Terraform computes with 512 bits, a double has 53: what people write in decimals
//! (`0.1 + 0.2`, `4.35 * 100`) must come out as they would write it.

use super::ast::Binary;

/// The most digits of a number that people wrote; more are the rest of a quotient, which is no decimal number.
const MAX_DIGITS: u32 = 15;

/// Digits and how many of them are behind the point, of numbers people write.
fn parts(f: f64) -> Option<(i128, usize)> {
    if f != 0.0 && !(1e-15..1e15).contains(&f.abs()) {
        return None;
    }
    let text = f.to_string();
    let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
    let digits: i128 = format!("{whole}{behind}").parse().ok()?;
    (digits.unsigned_abs() < 10u128.pow(MAX_DIGITS)).then_some((digits, behind.len()))
}

fn shifted(digits: i128, by: usize) -> Option<i128> {
    digits.checked_mul(10i128.checked_pow(by as u32)?)
}

/// The number nearest to the exact result; none for operations and numbers that this is not for.
pub(crate) fn exact(op: Binary, a: f64, b: f64) -> Option<f64> {
    let ((x, i), (y, j)) = (parts(a)?, parts(b)?);
    let scale = i.max(j);
    let (left, right) = (shifted(x, scale - i), shifted(y, scale - j));
    let (digits, scale) = match op {
        Binary::Add => (left?.checked_add(right?)?, scale),
        Binary::Sub => (left?.checked_sub(right?)?, scale),
        Binary::Mul => (x.checked_mul(y)?, i + j),
        Binary::Rem => (left?.checked_rem(right?)?, scale),
        Binary::Div => return Some(quotient(a, b)),
        _ => return None,
    };
    format!("{digits}e-{scale}").parse().ok()
}

/// `0.7 / 0.1` is 7: a quotient that is a short number but for its last digits is that number.
fn quotient(a: f64, b: f64) -> f64 {
    let exact = a / b;
    let rounded: f64 = format!("{exact:.14e}").parse().unwrap_or(exact);
    let digits = rounded.to_string().bytes().filter(u8::is_ascii_digit).count();
    if digits <= 13 { rounded } else { exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_come_out_as_written() {
        for (op, a, b, result) in [
            (Binary::Add, 0.1, 0.2, 0.3),
            (Binary::Sub, 0.3, 0.1, 0.2),
            (Binary::Mul, 4.35, 100.0, 435.0),
            (Binary::Mul, 0.1, 3.0, 0.3),
            (Binary::Rem, 5.0, 0.3, 0.2),
            (Binary::Div, 0.7, 0.1, 7.0),
            (Binary::Div, 1.0, 3.0, 1.0 / 3.0),
        ] {
            assert_eq!(exact(op, a, b), Some(result), "{op:?} of {a} and {b}");
        }
        assert_eq!(exact(Binary::Add, 1e300, 1.0), None);
        assert_eq!(exact(Binary::Mul, 1.0 / 3.0, 3.0), None, "the double is right: 1");
    }
}
