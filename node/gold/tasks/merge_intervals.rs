//! domain = "algorithms"
//! difficulty = 2
//! [names]
//! merge_intervals = ["join_ranges", "merge_spans"]
//! ---
//! Implement `{signature}`. Each pair is a closed interval (start, end), in any order; intervals that overlap or touch at a
//! point become one. The result is sorted by start. Pairs whose start is larger than their end are left out.

pub fn merge_intervals(intervals: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut sorted: Vec<(i32, i32)> = intervals
        .iter()
        .copied()
        .filter(|(start, end)| start <= end)
        .collect();
    sorted.sort_unstable();
    let mut merged: Vec<(i32, i32)> = Vec::new();
    for (start, end) in sorted {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping() {
        assert_eq!(
            merge_intervals(&[(1, 3), (2, 6), (8, 10)]),
            [(1, 6), (8, 10)]
        );
        assert_eq!(merge_intervals(&[(1, 9), (2, 3)]), [(1, 9)]);
    }
    #[test]
    fn touching() {
        assert_eq!(merge_intervals(&[(1, 2), (2, 3)]), [(1, 3)]);
        assert_eq!(merge_intervals(&[(1, 2), (3, 4)]), [(1, 2), (3, 4)]);
    }
    #[test]
    fn unsorted() {
        assert_eq!(merge_intervals(&[(5, 6), (1, 2)]), [(1, 2), (5, 6)]);
        assert_eq!(merge_intervals(&[(4, 8), (0, 5), (-1, 0)]), [(-1, 8)]);
    }
    #[test]
    fn edges() {
        assert_eq!(merge_intervals(&[]), []);
        assert_eq!(merge_intervals(&[(3, 1), (2, 2)]), [(2, 2)]);
        assert_eq!(merge_intervals(&[(7, 3)]), []);
    }
}
