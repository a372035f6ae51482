//! domain = "iterators"
//! difficulty = 2
//! [names]
//! longest_rise = ["longest_increasing_run", "rise_length"]
//! ---
//! Write `{signature}` in Rust. It returns the length of the longest run of neighbouring values in which each value is
//! strictly greater than the one before. A single value is a run of length 1; for no values the result is 0.

pub fn longest_rise(values: &[i32]) -> usize {
    let mut longest = 0;
    let mut length = 0;
    let mut before: Option<i32> = None;
    for &value in values {
        length = match before {
            Some(last) if value > last => length + 1,
            _ => 1,
        };
        longest = longest.max(length);
        before = Some(value);
    }
    longest
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs() {
        assert_eq!(longest_rise(&[1, 2, 3, 1, 2]), 3);
        assert_eq!(longest_rise(&[5, 1, 2, 3, 4]), 4);
        assert_eq!(longest_rise(&[3, 1, 2]), 2);
    }
    #[test]
    fn strictly() {
        assert_eq!(longest_rise(&[1, 1, 1]), 1);
        assert_eq!(longest_rise(&[1, 2, 2, 3]), 2);
    }
    #[test]
    fn small() {
        assert_eq!(longest_rise(&[]), 0);
        assert_eq!(longest_rise(&[7]), 1);
        assert_eq!(longest_rise(&[9, 8, 7]), 1);
    }
}
