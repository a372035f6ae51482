//! domain = "collections"
//! difficulty = 2
//! [names]
//! intersect_counts = ["common_elements", "multiset_intersection"]
//! ---
//! Write `{signature}`. The result holds what both slices have in common as multisets: each value as often as it occurs in
//! the slice where it occurs less often. It is sorted in ascending order.

use std::collections::HashMap;

pub fn intersect_counts(one: &[i32], other: &[i32]) -> Vec<i32> {
    let mut left: HashMap<i32, usize> = HashMap::new();
    for &value in one {
        *left.entry(value).or_insert(0) += 1;
    }
    let mut common = Vec::new();
    for &value in other {
        if let Some(count) = left.get_mut(&value) {
            if *count > 0 {
                *count -= 1;
                common.push(value);
            }
        }
    }
    common.sort_unstable();
    common
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        assert_eq!(intersect_counts(&[1, 2, 3], &[3, 2, 5]), [2, 3]);
        assert_eq!(intersect_counts(&[1], &[2]), []);
    }
    #[test]
    fn repeated() {
        assert_eq!(intersect_counts(&[1, 1, 2], &[1, 1, 1]), [1, 1]);
        assert_eq!(intersect_counts(&[4, 4], &[4]), [4]);
        assert_eq!(intersect_counts(&[4], &[4, 4]), [4]);
    }
    #[test]
    fn empty() {
        assert_eq!(intersect_counts(&[], &[1]), []);
        assert_eq!(intersect_counts(&[1], &[]), []);
    }
    #[test]
    fn sorted() {
        assert_eq!(intersect_counts(&[9, -1, 5], &[5, 9, -1]), [-1, 5, 9]);
    }
}
