//! domain = "numbers"
//! difficulty = 2
//! [names]
//! isqrt = ["integer_root", "floor_sqrt"]
//! ---
//! I want the integer square root without floating point. Implement `{signature}` so that it returns the largest number
//! whose square is not larger than `n`. Any `u64` must work, quickly.

pub fn isqrt(n: u64) -> u64 {
    let mut low: u64 = 0;
    let mut high: u64 = 1 << 32;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if middle * middle <= n {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares() {
        assert_eq!(isqrt(0), 0);
        assert_eq!(isqrt(1), 1);
        assert_eq!(isqrt(16), 4);
        assert_eq!(isqrt(144), 12);
    }
    #[test]
    fn between() {
        assert_eq!(isqrt(2), 1);
        assert_eq!(isqrt(15), 3);
        assert_eq!(isqrt(17), 4);
        assert_eq!(isqrt(99), 9);
    }
    #[test]
    fn large() {
        assert_eq!(isqrt(u64::MAX), 4_294_967_295);
        assert_eq!(isqrt(1 << 62), 1 << 31);
        assert_eq!(isqrt((1 << 62) - 1), (1 << 31) - 1);
    }
}
