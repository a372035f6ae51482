//! domain = "numbers"
//! difficulty = 2
//! [names]
//! bits_reversed = ["mirror_bits", "reverse_low_bits"]
//! ---
//! Write a Rust function `bits_reversed` with the parameters `value: u32` and `width: u32` that returns a `u32`. The lowest
//! `width` bits of the value are reversed in order and all higher bits are dropped: 0b0010 with width 4 becomes 0b0100. A
//! width above 32 counts as 32.

pub fn bits_reversed(value: u32, width: u32) -> u32 {
    let width = width.min(32);
    let mut out = 0;
    for place in 0..width {
        if value >> place & 1 == 1 {
            out |= 1 << (width - 1 - place);
        }
    }
    out
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow() {
        assert_eq!(bits_reversed(0b0010, 4), 0b0100);
        assert_eq!(bits_reversed(0b1101, 4), 0b1011);
        assert_eq!(bits_reversed(1, 1), 1);
    }
    #[test]
    fn dropped() {
        assert_eq!(bits_reversed(0b1_0001, 4), 0b1000);
        assert_eq!(bits_reversed(u32::MAX, 3), 0b111);
        assert_eq!(bits_reversed(9, 0), 0);
    }
    #[test]
    fn wide() {
        assert_eq!(bits_reversed(1, 32), 1 << 31);
        assert_eq!(bits_reversed(3, 99), 3 << 30);
        assert_eq!(bits_reversed(u32::MAX, 32), u32::MAX);
    }
}
