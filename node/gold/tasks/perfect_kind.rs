//! domain = "numbers"
//! difficulty = 1
//! [names]
//! perfect_kind = ["aliquot_order", "compare_divisors"]
//! ---
//! Write `{signature}` in Rust. It compares the sum of the proper divisors of `n` (all divisors except `n` itself) with `n`:
//! `Less` for deficient, `Equal` for perfect, `Greater` for abundant numbers. For 0 the result is `None`.

use std::cmp::Ordering;

pub fn perfect_kind(n: u32) -> Option<Ordering> {
    if n == 0 {
        return None;
    }
    let sum: u64 = (1..=n / 2)
        .filter(|number| matches!(n % number, 0))
        .map(u64::from)
        .sum();
    Some(sum.cmp(&u64::from(n)))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect() {
        assert_eq!(perfect_kind(6), Some(Ordering::Equal));
        assert_eq!(perfect_kind(28), Some(Ordering::Equal));
        assert_eq!(perfect_kind(496), Some(Ordering::Equal));
    }
    #[test]
    fn deficient() {
        assert_eq!(perfect_kind(1), Some(Ordering::Less));
        assert_eq!(perfect_kind(13), Some(Ordering::Less));
        assert_eq!(perfect_kind(8), Some(Ordering::Less));
    }
    #[test]
    fn abundant() {
        assert_eq!(perfect_kind(12), Some(Ordering::Greater));
        assert_eq!(perfect_kind(30), Some(Ordering::Greater));
    }
    #[test]
    fn zero() {
        assert_eq!(perfect_kind(0), None);
    }
}
