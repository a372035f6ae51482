//! domain = "collections"
//! difficulty = 1
//! [names]
//! rotate_left_by = ["rotated", "shift_left"]
//! ---
//! Write a Rust function `{signature}` that returns the elements rotated to the left by `places`: with 1, the first element
//! becomes the last. `places` may be larger than the length; the slice may be empty.

pub fn rotate_left_by(items: &[u8], places: usize) -> Vec<u8> {
    if items.is_empty() {
        return Vec::new();
    }
    let start = places % items.len();
    items[start..]
        .iter()
        .chain(&items[..start])
        .copied()
        .collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some() {
        assert_eq!(rotate_left_by(&[1, 2, 3, 4], 1), [2, 3, 4, 1]);
        assert_eq!(rotate_left_by(&[1, 2, 3, 4], 3), [4, 1, 2, 3]);
    }
    #[test]
    fn full_turns() {
        assert_eq!(rotate_left_by(&[1, 2, 3], 3), [1, 2, 3]);
        assert_eq!(rotate_left_by(&[1, 2, 3], 7), [2, 3, 1]);
        assert_eq!(rotate_left_by(&[1, 2], 0), [1, 2]);
    }
    #[test]
    fn small() {
        assert_eq!(rotate_left_by(&[], 5), []);
        assert_eq!(rotate_left_by(&[9], 4), [9]);
    }
}
