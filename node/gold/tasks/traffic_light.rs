//! domain = "types"
//! difficulty = 1
//! [names]
//! Light = ["Signal", "Lamp"]
//! ---
//! Define an enum `Light` in Rust with the variants `Red`, `RedYellow`, `Green` and `Yellow` (derive `Debug`, `Clone`, `Copy`,
//! `PartialEq` and `Eq`). The method `next(self) -> Light` gives the following state in just this order, and after `Yellow`
//! comes `Red`. The method `after(self, steps: u32) -> Light` makes that many steps. The method `may_drive(self) -> bool` is
//! true for `Green` only.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    Red,
    RedYellow,
    Green,
    Yellow,
}

impl Light {
    pub fn next(self) -> Light {
        match self {
            Light::Red => Light::RedYellow,
            Light::RedYellow => Light::Green,
            Light::Green => Light::Yellow,
            Light::Yellow => Light::Red,
        }
    }

    pub fn after(self, steps: u32) -> Light {
        (0..steps % 4).fold(self, |light, _| light.next())
    }

    pub fn may_drive(self) -> bool {
        self == Light::Green
    }
}

//~ driver
pub fn drive(start: u8, steps: u32) -> (String, String, bool) {
    let light = match start % 4 {
        0 => Light::Red,
        1 => Light::RedYellow,
        2 => Light::Green,
        _ => Light::Yellow,
    };
    (
        format!("{:?}", light.next()),
        format!("{:?}", light.after(steps)),
        light.may_drive(),
    )
}

//~ tests
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order() {
        assert_eq!(Light::Red.next(), Light::RedYellow);
        assert_eq!(Light::RedYellow.next(), Light::Green);
        assert_eq!(Light::Green.next(), Light::Yellow);
        assert_eq!(Light::Yellow.next(), Light::Red);
    }
    #[test]
    fn steps() {
        assert_eq!(Light::Red.after(0), Light::Red);
        assert_eq!(Light::Red.after(2), Light::Green);
        assert_eq!(Light::Green.after(3), Light::RedYellow);
        assert_eq!(Light::Yellow.after(4), Light::Yellow);
    }
    #[test]
    fn many_steps() {
        assert_eq!(Light::Red.after(4_000_000_001), Light::RedYellow);
        assert_eq!(Light::Green.after(u32::MAX), Light::RedYellow);
    }
    #[test]
    fn driving() {
        assert!(Light::Green.may_drive());
        assert!(!Light::Red.may_drive());
        assert!(!Light::Yellow.may_drive());
        assert!(!Light::RedYellow.may_drive());
    }
}
