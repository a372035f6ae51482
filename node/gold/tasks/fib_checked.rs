//! domain = "numbers"
//! difficulty = 1
//! [names]
//! fib_checked = ["fibonacci", "fib"]
//! ---
//! Write `{signature}` in Rust: the Fibonacci number with the index `n`, where the numbers begin 0, 1, 1, 2. Return `None`
//! instead of overflowing.

pub fn fib_checked(n: u32) -> Option<u64> {
    let mut current: u64 = 0;
    let mut next: u64 = 1;
    for step in 0..n {
        let after = current.checked_add(next);
        current = next;
        match after {
            Some(value) => next = value,
            None if step + 1 == n => return Some(current),
            None => return None,
        }
    }
    Some(current)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first() {
        assert_eq!(fib_checked(0), Some(0));
        assert_eq!(fib_checked(1), Some(1));
        assert_eq!(fib_checked(2), Some(1));
        assert_eq!(fib_checked(3), Some(2));
    }
    #[test]
    fn later() {
        assert_eq!(fib_checked(10), Some(55));
        assert_eq!(fib_checked(50), Some(12_586_269_025));
    }
    #[test]
    fn last_that_fits() {
        assert_eq!(fib_checked(93), Some(12_200_160_415_121_876_738));
        assert_eq!(fib_checked(92), Some(7_540_113_804_746_346_429));
    }
    #[test]
    fn too_large() {
        assert_eq!(fib_checked(94), None);
        assert_eq!(fib_checked(200), None);
        assert_eq!(fib_checked(u32::MAX), None);
    }
}
