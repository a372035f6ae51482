//! domain = "iterators"
//! difficulty = 3
//! [names]
//! window_max = ["sliding_max", "max_per_window"]
//! ---
//! Implement `{signature}` in Rust: the maximum of each window of `size` neighbouring values, from left to right. If `size`
//! is 0 or larger than the number of values, there are no windows.

use std::collections::VecDeque;

pub fn window_max(values: &[i32], size: usize) -> Vec<i32> {
    let mut out = Vec::new();
    if size == 0 {
        return out;
    }
    let mut best: VecDeque<usize> = VecDeque::new();
    for (place, &value) in values.iter().enumerate() {
        while matches!(best.back(), Some(&last) if values[last] <= value) {
            best.pop_back();
        }
        best.push_back(place);
        if matches!(best.front(), Some(&first) if first + size <= place) {
            best.pop_front();
        }
        if place + 1 >= size {
            out.extend(best.front().map(|&first| values[first]));
        }
    }
    out
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual() {
        assert_eq!(
            window_max(&[1, 3, -1, -3, 5, 3, 6, 7], 3),
            [3, 3, 5, 5, 6, 7]
        );
        assert_eq!(window_max(&[9, 8, 7, 6], 2), [9, 8, 7]);
    }
    #[test]
    fn size_one() {
        assert_eq!(window_max(&[2, 1, 3], 1), [2, 1, 3]);
        assert_eq!(window_max(&[4], 1), [4]);
    }
    #[test]
    fn whole() {
        assert_eq!(window_max(&[1, 5, 2], 3), [5]);
        assert_eq!(window_max(&[4, 4, 4], 2), [4, 4]);
    }
    #[test]
    fn none() {
        assert_eq!(window_max(&[1, 2], 3), []);
        assert_eq!(window_max(&[1, 2], 0), []);
        assert_eq!(window_max(&[], 1), []);
    }
}
