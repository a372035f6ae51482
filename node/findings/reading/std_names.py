"""The names of the standard library that an answer may use without an import, because the extractor adds it.

Only names that mean one thing in everybody's programs; `Error`, `Result`, `Write` and `Range` are not among them.
"""

from typing import Final

_BY_MODULE: Final = {
    "std": "cmp collections env fmt fs io iter mem ops process rc sync thread",
    "std::any": "Any TypeId",
    "std::borrow": "Borrow BorrowMut Cow",
    "std::cell": "Cell OnceCell RefCell UnsafeCell",
    "std::cmp": "Reverse max min",
    "std::collections": "BTreeMap BTreeSet BinaryHeap HashMap HashSet LinkedList VecDeque",
    "std::ffi": "CStr CString OsStr OsString",
    "std::fmt": "Debug Display Formatter",
    "std::future": "Future",
    "std::hash": "BuildHasher Hash Hasher",
    "std::io": "BufRead BufReader BufWriter Read Seek SeekFrom",
    "std::iter": "Peekable Product Sum",
    "std::marker": "PhantomData",
    "std::mem": "replace swap take",
    "std::num": "NonZeroU32 NonZeroU64 NonZeroUsize ParseFloatError ParseIntError Wrapping",
    "std::ops": "Add AddAssign BitAnd BitOr BitXor ControlFlow Deref DerefMut Div DivAssign Index IndexMut Mul"
    " MulAssign Neg Not Rem RemAssign Shl Shr Sub SubAssign",
    "std::path": "Path PathBuf",
    "std::pin": "Pin",
    "std::rc": "Rc",
    "std::str": "Chars FromStr Utf8Error",
    "std::sync": "Arc Barrier Condvar LazyLock Mutex MutexGuard Once OnceLock RwLock mpsc",
    "std::sync::atomic": "AtomicBool AtomicI32 AtomicI64 AtomicU32 AtomicU64 AtomicUsize",
    "std::time": "Duration Instant SystemTime",
}

STD_NAMES: Final = {name: f"{module}::{name}" for module, names in _BY_MODULE.items() for name in names.split()} | {
    "DefaultHasher": "std::collections::hash_map::DefaultHasher",
}
"""Path of each name, which is imported where it is used and neither imported nor defined."""

STD_FUNCTIONS: Final = frozenset({"max", "min", "replace", "swap", "take"})
"""Those that are functions: only a call by that name alone uses them."""

STD_MODULES: Final = frozenset(_BY_MODULE["std"].split()) | {"mpsc"}
"""Those that are modules: only a path that starts with them uses them."""

CMP_ORDERINGS: Final = frozenset({"Less", "Equal", "Greater"})
ATOMIC_ORDERINGS: Final = frozenset({"Relaxed", "Release", "Acquire", "AcqRel", "SeqCst"})
"""`Ordering` names two enums of the standard library, which their variants tell apart."""

BUILT_IN_CRATES: Final = frozenset({"std", "core", "alloc", "proc_macro", "test"})
"""Crates that come with the compiler."""

TOOL_ATTRIBUTES: Final = frozenset({"rustfmt", "clippy", "diagnostic", "miri", "rust_analyzer"})
"""First names of attributes that look like crates and are tools of the compiler."""

PRELUDE: Final = frozenset(
    {
        "AsMut", "AsRef", "AsyncFn", "AsyncFnMut", "AsyncFnOnce", "Box", "Clone", "Copy", "Default",
        "DoubleEndedIterator", "Drop", "Eq", "Err", "ExactSizeIterator", "Extend", "Fn", "FnMut", "FnOnce", "From",
        "FromIterator", "Future", "Into", "IntoFuture", "IntoIterator", "Iterator", "None", "Ok", "Option", "Ord",
        "PartialEq", "PartialOrd", "Result", "Self", "Send", "Sized", "Some", "String", "Sync", "ToOwned", "ToString",
        "TryFrom", "TryInto", "Unpin", "Vec", "drop",
    }
)  # fmt: skip
"""Names that every program has without an import: to use one asks for nothing."""
