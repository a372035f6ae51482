//! domain = "collections"
//! difficulty = 2
//! [names]
//! top_n = ["largest_numbers", "highest"]
//! [constants]
//! COUNT = [3, 4, 5]
//! ---
//! Write a function `top_n` in Rust: it takes a slice of `i32` and returns a `Vec<i32>` with the {COUNT} largest different
//! values, the largest first. Equal values count once. With fewer different values, all of them are returned.

use std::collections::BTreeSet;

const COUNT: usize = 3;

pub fn top_n(values: &[i32]) -> Vec<i32> {
    let different: BTreeSet<i32> = values.iter().copied().collect();
    different.into_iter().rev().take(COUNT).collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 3;
    #[test]
    fn many() {
        let values: Vec<i32> = (0..20).collect();
        assert_eq!(top_n(&values).len(), COUNT);
        assert_eq!(top_n(&values)[0], 19);
        assert_eq!(top_n(&values)[COUNT - 1], 20 - COUNT as i32);
    }
    #[test]
    fn repeated() {
        assert_eq!(top_n(&[5, 5, 1, 5]), [5, 1]);
        assert_eq!(top_n(&[2; 9]), [2]);
    }
    #[test]
    fn few() {
        assert_eq!(top_n(&[]), []);
        assert_eq!(top_n(&[1, 2]), [2, 1]);
    }
    #[test]
    fn negative() {
        assert_eq!(top_n(&[-3, -1]), [-1, -3]);
        assert_eq!(top_n(&[i32::MIN, i32::MAX]), [i32::MAX, i32::MIN]);
    }
}
