//! domain = "traits"
//! difficulty = 2
//! [names]
//! Countdown = ["StepDown", "Descent"]
//! ---
//! Create a struct `Countdown` in Rust with `Countdown::new(start: u32, step: u32) -> Countdown` and implement `Iterator` with
//! `Item = u32` for it. It yields `start`, then always `step` less, as long as the value does not fall below zero. With step
//! 0 it yields `start` once.

#[derive(Debug, Clone)]
pub struct Countdown {
    next: Option<u32>,
    step: u32,
}

impl Countdown {
    pub fn new(start: u32, step: u32) -> Countdown {
        Countdown {
            next: Some(start),
            step,
        }
    }
}

impl Iterator for Countdown {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let current = self.next?;
        self.next = if self.step == 0 {
            None
        } else {
            current.checked_sub(self.step)
        };
        Some(current)
    }
}

//~ driver
pub fn drive(start: u32, step: u32) -> Vec<u32> {
    Countdown::new(start % 1000, step % 50).take(200).collect()
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    fn all(start: u32, step: u32) -> Vec<u32> {
        Countdown::new(start, step).take(50).collect()
    }
    #[test]
    fn by_one() {
        assert_eq!(all(3, 1), [3, 2, 1, 0]);
        assert_eq!(all(0, 1), [0]);
    }
    #[test]
    fn by_more() {
        assert_eq!(all(10, 4), [10, 6, 2]);
        assert_eq!(all(9, 3), [9, 6, 3, 0]);
        assert_eq!(all(2, 5), [2]);
    }
    #[test]
    fn step_zero() {
        assert_eq!(all(7, 0), [7]);
        assert_eq!(all(0, 0), [0]);
    }
    #[test]
    fn stays_finished() {
        let mut countdown = Countdown::new(1, 1);
        assert_eq!(countdown.by_ref().count(), 2);
        assert_eq!(countdown.next(), None);
    }
}
