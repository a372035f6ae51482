//! What is linked into each answer that is run: it draws inputs, calls the answer, and writes down what came of it.
//!
//! An answer, this crate and the calls that go with it make one shared library. `runner.rs`, a program of its own that
//! never holds any code of an answer, forks a child for each input; the child loads the library, calls `run_item` here,
//! and reports over a pipe. Whatever an answer does to its child (exit, abort, overflow its stack, close files, replace
//! symbols) it therefore does to one outcome of its own.
//!
//! All testers of a round must see the same outcomes. So this crate uses nothing but std, and anything that changes
//! an input or the text of an outcome changes `GENERATOR_VERSION`.

pub mod arbitrary;
pub mod generator;
pub mod item;
pub mod show;
pub mod system;
pub mod wire;

pub use arbitrary::{arb, fun, Arb};
pub use generator::G;
pub use item::{passed, run_item, Test};
pub use show::{ShowDebug, ShowNothing, Shown};
pub use system::CountingAllocator;
pub use wire::Item;

/// Reports of different versions are never compared: `tester.py` states it in the node's offer.
pub const GENERATOR_VERSION: u32 = 1;

/// The library's only symbol. A macro, since edition 2024 wants `#[unsafe(no_mangle)]`, which older compilers refuse: an
/// attribute's edition is that of the crate which wrote it.
#[macro_export]
macro_rules! export {
    ($call:expr, $examples:expr, $tests:expr) => {
        #[no_mangle]
        pub unsafe extern "C" fn strand_run(item: *const $crate::Item) {
            $crate::run_item(item, $call, $examples, $tests)
        }
    };
}
