//! domain = "algorithms"
//! difficulty = 2
//! [names]
//! max_subarray = ["best_sum", "largest_run_sum"]
//! ---
//! Please write `{signature}` in Rust: the largest sum of a run of neighbouring values. The run must hold at least one value,
//! so for an empty slice the result is `None`.

pub fn max_subarray(values: &[i32]) -> Option<i64> {
    let mut best: Option<i64> = None;
    let mut ending_here: i64 = 0;
    for &value in values {
        ending_here = ending_here.max(0) + i64::from(value);
        best = Some(best.map_or(ending_here, |known| known.max(ending_here)));
    }
    best
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed() {
        assert_eq!(max_subarray(&[-2, 1, -3, 4, -1, 2, 1, -5, 4]), Some(6));
        assert_eq!(max_subarray(&[5, -9, 6]), Some(6));
        assert_eq!(max_subarray(&[3, -1, 3]), Some(5));
    }
    #[test]
    fn negative() {
        assert_eq!(max_subarray(&[-3, -1, -2]), Some(-1));
        assert_eq!(max_subarray(&[-7]), Some(-7));
    }
    #[test]
    fn edges() {
        assert_eq!(max_subarray(&[]), None);
        assert_eq!(max_subarray(&[0]), Some(0));
        assert_eq!(max_subarray(&[i32::MAX, i32::MAX]), Some(4_294_967_294));
    }
}
