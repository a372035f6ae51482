//! domain = "collections"
//! difficulty = 2
//! [names]
//! merge_sorted = ["merge_lists", "zip_sorted"]
//! ---
//! Write a Rust function `{signature}` that merges two slices, each sorted in ascending order, into one sorted vector. All
//! elements are kept, also equal ones. Do it in linear time.

pub fn merge_sorted(left: &[i32], right: &[i32]) -> Vec<i32> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if left[i] <= right[j] {
            merged.push(left[i]);
            i += 1;
        } else {
            merged.push(right[j]);
            j += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    merged
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved() {
        assert_eq!(merge_sorted(&[1, 4, 6], &[2, 3, 7]), [1, 2, 3, 4, 6, 7]);
        assert_eq!(merge_sorted(&[5], &[1, 9]), [1, 5, 9]);
    }
    #[test]
    fn equal() {
        assert_eq!(merge_sorted(&[1, 1], &[1]), [1, 1, 1]);
        assert_eq!(merge_sorted(&[-2, 0], &[-2]), [-2, -2, 0]);
    }
    #[test]
    fn empty() {
        assert_eq!(merge_sorted(&[], &[]), []);
        assert_eq!(merge_sorted(&[1, 2], &[]), [1, 2]);
        assert_eq!(merge_sorted(&[], &[3]), [3]);
    }
    #[test]
    fn one_after_the_other() {
        assert_eq!(merge_sorted(&[1, 2], &[3, 4, 5]), [1, 2, 3, 4, 5]);
        assert_eq!(merge_sorted(&[8, 9], &[1]), [1, 8, 9]);
    }
}
