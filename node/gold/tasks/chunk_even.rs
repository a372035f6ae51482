//! domain = "iterators"
//! difficulty = 2
//! [names]
//! chunk_even = ["split_evenly", "fair_shares"]
//! ---
//! Split work fairly: `{signature}` in Rust splits the numbers into exactly `parts` consecutive parts whose lengths differ by
//! at most one; the longer parts come first. `parts` may be larger than the number of items, then the last parts are empty.
//! With 0 parts the result is empty.

pub fn chunk_even(items: &[u32], parts: usize) -> Vec<Vec<u32>> {
    if parts == 0 {
        return Vec::new();
    }
    let small = items.len() / parts;
    let longer = items.len() % parts;
    let mut rest = items;
    let mut out = Vec::new();
    for part in 0..parts {
        let length = if part < longer { small + 1 } else { small };
        let (head, tail) = rest.split_at(length);
        out.push(head.to_vec());
        rest = tail;
    }
    out
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(count: u32, parts: usize) -> Vec<usize> {
        let items: Vec<u32> = (0..count).collect();
        chunk_even(&items, parts).iter().map(Vec::len).collect()
    }
    #[test]
    fn even() {
        assert_eq!(lengths(6, 3), [2, 2, 2]);
        assert_eq!(lengths(4, 1), [4]);
    }
    #[test]
    fn uneven() {
        assert_eq!(lengths(7, 3), [3, 2, 2]);
        assert_eq!(lengths(8, 3), [3, 3, 2]);
    }
    #[test]
    fn more_parts() {
        assert_eq!(lengths(2, 4), [1, 1, 0, 0]);
        assert_eq!(lengths(0, 2), [0, 0]);
    }
    #[test]
    fn nothing_lost() {
        assert_eq!(lengths(5, 0), []);
        assert_eq!(chunk_even(&[5, 6, 7], 2), [vec![5, 6], vec![7]]);
        assert_eq!(chunk_even(&[1, 2, 3, 4, 5], 3).concat(), [1, 2, 3, 4, 5]);
    }
}
