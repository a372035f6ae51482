//! domain = "std"
//! difficulty = 1
//! [names]
//! combine = ["add_options", "sum_if_any"]
//! ---
//! Write a function `combine` in Rust that takes two `Option<u32>` and returns an `Option<u32>`: the sum if both are there, the
//! one that is there if only one is, `None` if none is. A sum that does not fit becomes `u32::MAX`.

pub fn combine(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (Some(a), None) => Some(a),
        (None, rest) => rest,
    }
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both() {
        assert_eq!(combine(Some(2), Some(3)), Some(5));
        assert_eq!(combine(Some(0), Some(0)), Some(0));
    }
    #[test]
    fn one() {
        assert_eq!(combine(Some(7), None), Some(7));
        assert_eq!(combine(None, Some(8)), Some(8));
    }
    #[test]
    fn none() {
        assert_eq!(combine(None, None), None);
    }
    #[test]
    fn too_large() {
        assert_eq!(combine(Some(u32::MAX), Some(1)), Some(u32::MAX));
        assert_eq!(combine(Some(u32::MAX - 1), Some(1)), Some(u32::MAX));
    }
}
