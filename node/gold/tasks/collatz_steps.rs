//! domain = "numbers"
//! difficulty = 2
//! [names]
//! collatz_steps = ["steps_to_one", "halving_steps"]
//! ---
//! Write `{signature}`: the number of steps of the Collatz sequence until it reaches 1. An even number is halved, an odd one
//! n becomes 3n + 1. The result is `None` for 0, and also if a number of the sequence does not fit into a `u64`.

pub fn collatz_steps(start: u64) -> Option<u32> {
    if start == 0 {
        return None;
    }
    let mut number = start;
    let mut steps = 0;
    while number != 1 {
        number = if number & 1 == 1 {
            number.checked_mul(3)?.checked_add(1)?
        } else {
            number / 2
        };
        steps += 1;
    }
    Some(steps)
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small() {
        assert_eq!(collatz_steps(1), Some(0));
        assert_eq!(collatz_steps(2), Some(1));
        assert_eq!(collatz_steps(3), Some(7));
        assert_eq!(collatz_steps(4), Some(2));
    }
    #[test]
    fn longer() {
        assert_eq!(collatz_steps(27), Some(111));
        assert_eq!(collatz_steps(97), Some(118));
        assert_eq!(collatz_steps(1 << 40), Some(40));
    }
    #[test]
    fn impossible() {
        assert_eq!(collatz_steps(0), None);
        assert_eq!(collatz_steps(u64::MAX), None);
    }
}
