//! The text of an outcome.

use std::fmt::{Debug, Write};

/// Bytes of an outcome's text. Two answers that differ only behind it count as alike; `outcomes.py` reads no more.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Stops a `Debug` that would write for ever.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let left = TEXT_BYTES_MAX.saturating_sub(self.0.len());
        let mut end = text.len().min(left);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&text[..end]);
        if end < text.len() {
            Err(std::fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// `show!(value)` is the `Debug` text of a value, and a fixed text for a type without `Debug`.
///
/// Method resolution looks at `Shown<T>` before `&Shown<T>`, so `ShowDebug` wins wherever it applies.
pub struct Shown<'a, T: ?Sized>(pub &'a T);

pub trait ShowDebug {
    fn show(&self) -> String;
}

impl<T: Debug + ?Sized> ShowDebug for Shown<'_, T> {
    fn show(&self) -> String {
        let mut text = Bounded(String::new());
        // An error means that the text is full, or that the type's own `Debug` gave up: what stands there counts.
        let _ = write!(text, "{:?}", self.0);
        text.0
    }
}

pub trait ShowNothing {
    fn show(&self) -> String;
}

impl<T: ?Sized> ShowNothing for &Shown<'_, T> {
    fn show(&self) -> String {
        "<no Debug>".into()
    }
}

#[macro_export]
macro_rules! show {
    ($value:expr) => {{
        #[allow(unused_imports)]
        use $crate::{ShowDebug as _, ShowNothing as _};
        (&$crate::Shown(&$value)).show()
    }};
}
