//! domain = "numbers"
//! difficulty = 2
//! [names]
//! gcd_all = ["common_divisor", "greatest_divisor"]
//! ---
//! Implement `{signature}`. It returns the greatest common divisor of all the numbers. Zeros change nothing (the divisor of
//! 0 and n is n); for an empty slice, or zeros alone, the result is 0.

pub fn gcd_all(numbers: &[u64]) -> u64 {
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 {
            a
        } else {
            gcd(b, a % b)
        }
    }
    numbers.iter().fold(0, |known, &number| gcd(known, number))
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several() {
        assert_eq!(gcd_all(&[12, 18, 24]), 6);
        assert_eq!(gcd_all(&[7, 13]), 1);
        assert_eq!(gcd_all(&[100, 75]), 25);
    }
    #[test]
    fn zeros() {
        assert_eq!(gcd_all(&[0, 5]), 5);
        assert_eq!(gcd_all(&[5, 0]), 5);
        assert_eq!(gcd_all(&[0, 0]), 0);
    }
    #[test]
    fn few() {
        assert_eq!(gcd_all(&[]), 0);
        assert_eq!(gcd_all(&[42]), 42);
    }
    #[test]
    fn large() {
        assert_eq!(gcd_all(&[u64::MAX, u64::MAX]), u64::MAX);
        assert_eq!(gcd_all(&[1, u64::MAX]), 1);
    }
}
