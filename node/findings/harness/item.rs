//! What a child does: one input, one example or one test, and the report about it.

use std::any::Any;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::rc::Rc;

use crate::generator::{Pool, G};
use crate::system::{report_memory_to, seed_randomness};
use crate::wire::{header, Item, DONE, DRAW, EXAMPLE, FAILED, PANICKED, PASSED, RETURNED, SHOW};

extern "C" {
    fn write(fd: i32, bytes: *const u8, len: usize) -> isize;
    fn _exit(code: i32) -> !;
}

/// One test of the asker.
pub struct Test {
    pub run: fn() -> bool,
    /// The test passes by a panic, whose message holds this text.
    pub panics_with: Option<&'static str>,
}

/// What a test function may return.
pub trait Verdict {
    fn passed(self) -> bool;
}

impl Verdict for () {
    fn passed(self) -> bool {
        true
    }
}

impl<T, E> Verdict for Result<T, E> {
    fn passed(self) -> bool {
        self.is_ok()
    }
}

/// Whether the value that a test function returned means that it passed.
pub fn passed(value: impl Verdict) -> bool {
    value.passed()
}

/// Does what the runner ordered, reports, and ends the process: destructors and `atexit` of the answer never run after
/// its report.
///
/// # Safety
/// `item` is the runner's, whose pool outlives the process.
pub unsafe fn run_item(
    item: *const Item,
    call: Option<fn(&mut G) -> String>,
    examples: &[fn() -> String],
    tests: &[Test],
) -> ! {
    let item = &*item;
    report_memory_to(item.report_fd, item.nonce);
    seed_randomness(item.hash_seed);
    // The message would only go to /dev/null, and a backtrace takes long.
    set_hook(Box::new(|_| {}));
    let (kind, text) = match (item.kind, call) {
        (DRAW | SHOW, Some(call)) => {
            let pool = std::slice::from_raw_parts(item.pool, item.pool_len);
            let mut g = G::new(item.seed, item.index, &Rc::new(read_pool(pool)));
            g.show = item.kind == SHOW;
            shown(|| call(&mut g))
        }
        (EXAMPLE, _) if item.index < examples.len() => shown(examples[item.index]),
        _ if item.index < tests.len() => (verdict(&tests[item.index]), String::new()),
        _ => _exit(0),
    };
    report(item, kind, &text);
    _exit(DONE)
}

fn shown(call: impl FnOnce() -> String) -> (u8, String) {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(text) => (RETURNED, text),
        Err(payload) => {
            // Dropping it could panic again.
            std::mem::forget(payload);
            (PANICKED, String::new())
        }
    }
}

fn verdict(test: &Test) -> u8 {
    let passes = match (catch_unwind(test.run), test.panics_with) {
        (Ok(passed), None) => passed,
        (Err(payload), Some(expected)) => {
            let holds = message(&*payload).contains(expected);
            std::mem::forget(payload);
            holds
        }
        (Err(payload), None) => {
            std::mem::forget(payload);
            false
        }
        (Ok(_), Some(_)) => false,
    };
    if passes {
        PASSED
    } else {
        FAILED
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "",
    }
}

fn report(item: &Item, kind: u8, text: &str) {
    let bytes = [&header(kind, item.nonce, text.len()), text.as_bytes()].concat();
    let mut sent = 0;
    while sent < bytes.len() {
        let wrote = unsafe { write(item.report_fd, bytes[sent..].as_ptr(), bytes.len() - sent) };
        if wrote <= 0 {
            return;
        }
        sent += wrote as usize;
    }
}

/// A line each: `i` with a number, or `s` with a text, whose line breaks and backslashes are escaped.
fn read_pool(bytes: &[u8]) -> Pool {
    let mut pool = Pool::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(number) = line.strip_prefix("i ") {
            pool.numbers.extend(number.parse::<i128>());
        } else if let Some(text) = line.strip_prefix("s ") {
            pool.texts.push(unescaped(text));
        }
    }
    pool
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            other => plain.extend(other),
        }
    }
    plain
}
