//! domain = "numbers"
//! difficulty = 1
//! [names]
//! checked_average = ["mean", "average"]
//! ---
//! Write a function `checked_average` in Rust: it takes a slice of `i32` and returns an `Option<f64>` with their arithmetic
//! mean. There is none for an empty slice. The sum must not overflow, however long and large the numbers are.

pub fn checked_average(values: &[i32]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let sum: i64 = values.iter().map(|&value| i64::from(value)).sum();
    Some(sum as f64 / values.len() as f64)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole() {
        assert_eq!(checked_average(&[1, 2, 3]), Some(2.0));
        assert_eq!(checked_average(&[4]), Some(4.0));
    }
    #[test]
    fn fraction() {
        assert_eq!(checked_average(&[1, 2]), Some(1.5));
        assert_eq!(checked_average(&[-1, 0]), Some(-0.5));
    }
    #[test]
    fn empty() {
        assert_eq!(checked_average(&[]), None);
    }
    #[test]
    fn large() {
        assert_eq!(checked_average(&[i32::MAX; 3]), Some(f64::from(i32::MAX)));
        assert_eq!(checked_average(&[i32::MAX, i32::MIN]), Some(-0.5));
    }
}
