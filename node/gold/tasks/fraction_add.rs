//! domain = "traits"
//! difficulty = 3
//! [names]
//! Fraction = ["Ratio", "Quotient"]
//! ---
//! Write a struct `Fraction` in Rust for fractions of `i64`. `Fraction::new(numerator: i64, denominator: i64) ->
//! Option<Fraction>` returns `None` for a zero denominator. Fractions are always kept in lowest terms with a positive
//! denominator. Implement `Add` and `Mul` for values of the type, and `Display`, which writes `3/4`, but only `3` where the
//! denominator is 1. Numbers are small: you need not care about overflow.

use std::fmt;
use std::ops::{Add, Mul};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    numerator: i64,
    denominator: i64,
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 {
        a.abs()
    } else {
        gcd(b, a % b)
    }
}

impl Fraction {
    pub fn new(numerator: i64, denominator: i64) -> Option<Fraction> {
        if denominator == 0 {
            return None;
        }
        let common = gcd(numerator, denominator) * denominator.signum();
        Some(Fraction {
            numerator: numerator / common,
            denominator: denominator / common,
        })
    }

    fn reduced(numerator: i64, denominator: i64) -> Fraction {
        let common = gcd(numerator, denominator);
        Fraction {
            numerator: numerator / common,
            denominator: denominator / common,
        }
    }
}

impl Add for Fraction {
    type Output = Fraction;

    fn add(self, other: Fraction) -> Fraction {
        let numerator = self.numerator * other.denominator + other.numerator * self.denominator;
        Fraction::reduced(numerator, self.denominator * other.denominator)
    }
}

impl Mul for Fraction {
    type Output = Fraction;

    fn mul(self, other: Fraction) -> Fraction {
        Fraction::reduced(
            self.numerator * other.numerator,
            self.denominator * other.denominator,
        )
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

//~ driver
pub fn drive(a: i16, b: i16, c: i16, d: i16) -> Option<Vec<String>> {
    let one = Fraction::new(i64::from(a), i64::from(b))?;
    let other = Fraction::new(i64::from(c), i64::from(d))?;
    Some(vec![
        one.to_string(),
        other.to_string(),
        (one + other).to_string(),
        (one * other).to_string(),
    ])
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn f(numerator: i64, denominator: i64) -> Fraction {
        Fraction::new(numerator, denominator).unwrap()
    }
    #[test]
    fn lowest_terms() {
        assert_eq!(f(6, 8).to_string(), "3/4");
        assert_eq!(f(4, 2).to_string(), "2");
        assert_eq!(f(0, 5).to_string(), "0");
    }
    #[test]
    fn signs() {
        assert_eq!(f(1, -2).to_string(), "-1/2");
        assert_eq!(f(-3, -9).to_string(), "1/3");
        assert_eq!(f(-4, 6).to_string(), "-2/3");
    }
    #[test]
    fn sums() {
        assert_eq!((f(1, 2) + f(1, 3)).to_string(), "5/6");
        assert_eq!((f(1, 2) + f(1, 2)).to_string(), "1");
        assert_eq!((f(1, 2) + f(-1, 2)).to_string(), "0");
    }
    #[test]
    fn products() {
        assert_eq!((f(2, 3) * f(3, 4)).to_string(), "1/2");
        assert_eq!((f(-1, 2) * f(2, 1)).to_string(), "-1");
        assert_eq!((f(0, 3) * f(5, 7)).to_string(), "0");
    }
    #[test]
    fn zero_denominator() {
        assert!(Fraction::new(1, 0).is_none());
        assert!(Fraction::new(0, 0).is_none());
    }
}
