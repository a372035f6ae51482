//! domain = "numbers"
//! difficulty = 2
//! [names]
//! to_base = ["in_base", "format_radix"]
//! ---
//! Write `{signature}` in Rust. It writes the number in the given base with the digits 0 to 9 and a to z. Bases from 2 to 36
//! are allowed; for all others the result is `None`. Zero is "0".

pub fn to_base(number: u32, base: u32) -> Option<String> {
    if !(2..=36).contains(&base) {
        return None;
    }
    let mut rest = number;
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(rest % base, base)?);
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    Some(digits.iter().rev().collect())
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: u32, base: u32) -> String {
        to_base(number, base).unwrap_or_default()
    }
    #[test]
    fn usual() {
        assert_eq!(shown(10, 2), "1010");
        assert_eq!(shown(255, 16), "ff");
        assert_eq!(shown(1234, 10), "1234");
    }
    #[test]
    fn edges() {
        assert_eq!(shown(0, 2), "0");
        assert_eq!(shown(35, 36), "z");
        assert_eq!(shown(36, 36), "10");
        assert_eq!(shown(u32::MAX, 2), "1".repeat(32));
    }
    #[test]
    fn refused() {
        assert_eq!(to_base(5, 1), None);
        assert_eq!(to_base(5, 0), None);
        assert_eq!(to_base(5, 37), None);
    }
}
