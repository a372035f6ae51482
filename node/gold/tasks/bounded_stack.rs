//! domain = "types"
//! difficulty = 1
//! [names]
//! BoundedStack = ["SmallStack", "LimitedStack"]
//! [constants]
//! CAPACITY = [4, 3, 6]
//! ---
//! Write a struct `BoundedStack` in Rust that holds at most {CAPACITY} values of type `i32`, with these methods:
//!
//! - `new() -> Self`: an empty stack.
//! - `push(&mut self, value: i32) -> bool`: adds the value and returns true; a full stack stays as it is and returns false.
//! - `pop(&mut self) -> Option<i32>`: removes and returns the value that was pushed last.
//! - `len(&self) -> usize` and `is_empty(&self) -> bool`.

const CAPACITY: usize = 4;

#[derive(Debug, Default)]
pub struct BoundedStack {
    values: Vec<i32>,
}

impl BoundedStack {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, value: i32) -> bool {
        if self.values.len() >= CAPACITY {
            return false;
        }
        self.values.push(value);
        true
    }

    pub fn pop(&mut self) -> Option<i32> {
        self.values.pop()
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

//~ driver
pub fn drive(steps: &[i32]) -> Vec<i32> {
    let mut stack = BoundedStack::new();
    let mut seen = Vec::new();
    for &step in steps {
        if step % 3 == 0 {
            seen.push(stack.pop().unwrap_or(-1));
        } else {
            seen.push(i32::from(stack.push(step)));
        }
        seen.push(stack.len() as i32);
        seen.push(i32::from(stack.is_empty()));
    }
    seen
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 4;
    #[test]
    fn last_in_first_out() {
        let mut stack = BoundedStack::new();
        assert!(stack.push(1));
        assert!(stack.push(2));
        assert_eq!(stack.pop(), Some(2));
        assert_eq!(stack.pop(), Some(1));
        assert_eq!(stack.pop(), None);
    }
    #[test]
    fn full() {
        let mut stack = BoundedStack::new();
        for value in 0..CAPACITY as i32 {
            assert!(stack.push(value));
        }
        assert!(!stack.push(99));
        assert_eq!(stack.len(), CAPACITY);
        assert_eq!(stack.pop(), Some(CAPACITY as i32 - 1));
    }
    #[test]
    fn emptiness() {
        let mut stack = BoundedStack::new();
        assert!(stack.is_empty());
        assert_eq!(stack.len(), 0);
        stack.push(5);
        assert!(!stack.is_empty());
        stack.pop();
        assert!(stack.is_empty());
    }
}
