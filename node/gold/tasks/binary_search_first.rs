//! domain = "algorithms"
//! difficulty = 2
//! [names]
//! first_at_least = ["lower_bound", "insertion_place"]
//! ---
//! Write `{signature}` in Rust. The values are sorted in ascending order; return the index of the first one that is not
//! smaller than `wanted`, or the length if there is none. Use binary search, and do not use `partition_point` or
//! `binary_search`.

pub fn first_at_least(values: &[i32], wanted: i32) -> usize {
    let mut low = 0;
    let mut high = values.len();
    while low < high {
        let middle = low + (high - low) / 2;
        if values[middle] < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

//~ driver
pub fn drive(values: Vec<i32>, wanted: i32) -> usize {
    let mut sorted = values;
    sorted.sort_unstable();
    first_at_least(&sorted, wanted)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn present() {
        assert_eq!(first_at_least(&[1, 3, 5], 3), 1);
        assert_eq!(first_at_least(&[1, 3, 5], 1), 0);
        assert_eq!(first_at_least(&[1, 3, 5], 5), 2);
    }
    #[test]
    fn between() {
        assert_eq!(first_at_least(&[1, 3, 5], 2), 1);
        assert_eq!(first_at_least(&[1, 3, 5], 0), 0);
        assert_eq!(first_at_least(&[1, 3, 5], 6), 3);
    }
    #[test]
    fn equal_values() {
        assert_eq!(first_at_least(&[2, 2, 2, 2], 2), 0);
        assert_eq!(first_at_least(&[1, 2, 2, 3], 2), 1);
        assert_eq!(first_at_least(&[1, 1, 1], 2), 3);
    }
    #[test]
    fn small() {
        assert_eq!(first_at_least(&[], 1), 0);
        assert_eq!(first_at_least(&[4], 4), 0);
        assert_eq!(first_at_least(&[4], 5), 1);
    }
}
