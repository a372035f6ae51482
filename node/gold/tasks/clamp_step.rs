//! domain = "numbers"
//! difficulty = 2
//! [names]
//! clamp_step = ["round_to_step", "snap"]
//! [constants]
//! STEP = [5, 10, 25]
//! ---
//! Write a Rust function `{signature}` that rounds a value to the nearest multiple of {STEP}. A value that lies exactly in
//! the middle, as far as that can happen, is rounded away from zero. The value always lies between -1,000,000 and 1,000,000.

const STEP: i32 = 5;

pub fn clamp_step(value: i32) -> i32 {
    let size = value.abs();
    let rest = size % STEP;
    let rounded = if rest * 2 >= STEP {
        size - rest + STEP
    } else {
        size - rest
    };
    if value < 0 {
        -rounded
    } else {
        rounded
    }
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i32 = 5;
    #[test]
    fn multiples() {
        assert_eq!(clamp_step(0), 0);
        assert_eq!(clamp_step(STEP), STEP);
        assert_eq!(clamp_step(-3 * STEP), -3 * STEP);
    }
    #[test]
    fn down() {
        assert_eq!(clamp_step(STEP + 1), STEP);
        assert_eq!(clamp_step(1), 0);
        assert_eq!(clamp_step(-1), 0);
    }
    #[test]
    fn up() {
        assert_eq!(clamp_step(STEP - 1), STEP);
        assert_eq!(clamp_step(1 - STEP), -STEP);
        assert_eq!(clamp_step(7 * STEP - 1), 7 * STEP);
    }
    #[test]
    fn middle() {
        let half = (STEP + 1) / 2;
        assert_eq!(clamp_step(half), STEP);
        assert_eq!(clamp_step(-half), -STEP);
        assert_eq!(clamp_step((STEP - 1) / 2), 0);
    }
}
