//! domain = "numbers"
//! difficulty = 1
//! [names]
//! digit_sum = ["sum_of_digits", "cross_sum"]
//! ---
//! Write a Rust function `{signature}` that returns the sum of the decimal digits of a number. The sign of a negative number
//! is ignored. It must work for every `i64`.

pub fn digit_sum(number: i64) -> u32 {
    let mut rest = number.unsigned_abs();
    let mut sum = 0;
    while rest > 0 {
        sum += (rest % 10) as u32;
        rest /= 10;
    }
    sum
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive() {
        assert_eq!(digit_sum(123), 6);
        assert_eq!(digit_sum(9), 9);
        assert_eq!(digit_sum(1001), 2);
    }
    #[test]
    fn zero() {
        assert_eq!(digit_sum(0), 0);
        assert_eq!(digit_sum(10), 1);
    }
    #[test]
    fn negative() {
        assert_eq!(digit_sum(-45), 9);
        assert_eq!(digit_sum(-7), 7);
    }
    #[test]
    fn extremes() {
        assert_eq!(digit_sum(i64::MAX), 88);
        assert_eq!(digit_sum(i64::MIN), 89);
    }
}
