//! domain = "iterators"
//! difficulty = 1
//! [names]
//! pair_sums = ["neighbour_sums", "adjacent_sums"]
//! ---
//! Write a Rust function `pair_sums` that takes a slice of `i32` and returns a `Vec<i64>` with the sum of each two neighbours:
//! of a and b, then of b and c, and so on. The sums must not overflow.

pub fn pair_sums(values: &[i32]) -> Vec<i64> {
    values
        .windows(2)
        .map(|pair| i64::from(pair[0]) + i64::from(pair[1]))
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        assert_eq!(pair_sums(&[1, 2, 3, 4]), [3, 5, 7]);
        assert_eq!(pair_sums(&[5, -5]), [0]);
    }
    #[test]
    fn few() {
        assert_eq!(pair_sums(&[]), []);
        assert_eq!(pair_sums(&[1]), []);
    }
    #[test]
    fn large() {
        assert_eq!(pair_sums(&[i32::MAX, i32::MAX]), [4_294_967_294]);
        assert_eq!(
            pair_sums(&[i32::MIN, i32::MIN, 0]),
            [-4_294_967_296, -2_147_483_648]
        );
    }
}
