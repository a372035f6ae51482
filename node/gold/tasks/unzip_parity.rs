//! domain = "iterators"
//! difficulty = 1
//! [names]
//! unzip_parity = ["split_parity", "evens_and_odds"]
//! ---
//! Write a function `unzip_parity` in Rust. It takes a `Vec<i32>` and returns a pair of vectors, `(Vec<i32>, Vec<i32>)`:
//! first the even numbers, then the odd ones, each in their original order. Negative numbers can be odd, too.

pub fn unzip_parity(numbers: Vec<i32>) -> (Vec<i32>, Vec<i32>) {
    numbers.into_iter().partition(|number| number % 2 == 0)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both() {
        assert_eq!(unzip_parity(vec![1, 2, 3, 4]), (vec![2, 4], vec![1, 3]));
        assert_eq!(unzip_parity(vec![5, 0, 7]), (vec![0], vec![5, 7]));
    }
    #[test]
    fn negative() {
        assert_eq!(unzip_parity(vec![-1, -2, -3]), (vec![-2], vec![-1, -3]));
        assert_eq!(
            unzip_parity(vec![i32::MIN, i32::MAX]),
            (vec![i32::MIN], vec![i32::MAX])
        );
    }
    #[test]
    fn one_sided() {
        assert_eq!(unzip_parity(vec![]), (vec![], vec![]));
        assert_eq!(unzip_parity(vec![2, 2]), (vec![2, 2], vec![]));
        assert_eq!(unzip_parity(vec![1]), (vec![], vec![1]));
    }
}
