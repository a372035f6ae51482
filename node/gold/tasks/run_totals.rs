//! domain = "iterators"
//! difficulty = 1
//! [names]
//! run_totals = ["prefix_sums", "cumulative"]
//! ---
//! `{signature}` in Rust: the running totals of the values. If a total would overflow, the list ends before it.

pub fn run_totals(values: &[u32]) -> Vec<u32> {
    values
        .iter()
        .scan(0u32, |total, &value| {
            *total = total.checked_add(value)?;
            Some(*total)
        })
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals() {
        assert_eq!(run_totals(&[1, 2, 3]), [1, 3, 6]);
        assert_eq!(run_totals(&[0, 0, 5]), [0, 0, 5]);
    }
    #[test]
    fn few() {
        assert_eq!(run_totals(&[]), []);
        assert_eq!(run_totals(&[9]), [9]);
    }
    #[test]
    fn overflow() {
        assert_eq!(run_totals(&[u32::MAX, 1, 0]), [u32::MAX]);
        assert_eq!(run_totals(&[u32::MAX - 1, 1, 1]), [u32::MAX - 1, u32::MAX]);
    }
}
