//! domain = "iterators"
//! difficulty = 2
//! [names]
//! interleave = ["alternate", "weave", "zip_all"]
//! ---
//! Write a generic Rust function `{signature}`. The result takes elements alternately from the first and from the second
//! vector, beginning with the first; when one is used up, the rest of the other follows.

pub fn interleave<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let mut out = Vec::with_capacity(first.len() + second.len());
    let mut left = first.into_iter();
    let mut right = second.into_iter();
    loop {
        let (one, other) = (left.next(), right.next());
        if one.is_none() && other.is_none() {
            return out;
        }
        out.extend(one);
        out.extend(other);
    }
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lengths() {
        assert_eq!(interleave(vec![1, 3], vec![2, 4]), [1, 2, 3, 4]);
        assert_eq!(interleave(vec!['a'], vec!['b']), ['a', 'b']);
    }
    #[test]
    fn unequal() {
        assert_eq!(interleave(vec![1, 3, 4, 5], vec![2]), [1, 2, 3, 4, 5]);
        assert_eq!(interleave(vec![1], vec![2, 3, 4]), [1, 2, 3, 4]);
    }
    #[test]
    fn empty() {
        assert_eq!(interleave(vec![], vec![7, 8]), [7, 8]);
        assert_eq!(interleave(vec![7, 8], vec![]), [7, 8]);
        assert!(interleave::<u8>(vec![], vec![]).is_empty());
    }
}
