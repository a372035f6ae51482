//! domain = "collections"
//! difficulty = 1
//! [names]
//! dedup_keep_order = ["unique_in_order", "remove_repeats"]
//! ---
//! I need `{signature}` in Rust: the numbers without repetitions, each at the place of its first occurrence.

use std::collections::HashSet;

pub fn dedup_keep_order(numbers: &[i64]) -> Vec<i64> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for &number in numbers {
        if seen.insert(number) {
            kept.push(number);
        }
    }
    kept
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats() {
        assert_eq!(dedup_keep_order(&[3, 1, 3, 2, 1]), [3, 1, 2]);
        assert_eq!(dedup_keep_order(&[7, 7, 7]), [7]);
    }
    #[test]
    fn none() {
        assert_eq!(dedup_keep_order(&[]), []);
        assert_eq!(dedup_keep_order(&[1, 2, 3]), [1, 2, 3]);
    }
    #[test]
    fn not_only_neighbours() {
        assert_eq!(dedup_keep_order(&[1, 2, 1, 2, 1]), [1, 2]);
        assert_eq!(dedup_keep_order(&[0, -1, 0]), [0, -1]);
    }
}
