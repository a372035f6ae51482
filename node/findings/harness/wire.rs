//! What runner and library say to each other: compiled into both.

/// What the child is to do.
pub const DRAW: u8 = b'd';
/// As `DRAW`, but the outcome is the text of the arguments.
pub const SHOW: u8 = b's';
/// Show the value of an example's expression.
pub const EXAMPLE: u8 = b'e';
/// Run a test.
pub const TEST: u8 = b't';

/// The order to one child. The pool's text outlives the call.
#[repr(C)]
pub struct Item {
    pub kind: u8,
    pub index: usize,
    pub seed: u64,
    pub hash_seed: u64,
    pub pool: *const u8,
    pub pool_len: usize,
    pub report_fd: i32,
    /// Stands in the report: a program that writes to every file that it finds does not know it.
    pub nonce: u64,
}

/// Exit code of a child that has reported.
pub const DONE: i32 = 77;
/// Exit code of a child that could not load the library.
pub const NOT_LOADED: i32 = 76;

/// First byte of a report. The nonce, the text's length as four bytes and the text follow, numbers little-endian.
pub const RETURNED: u8 = b'O';
pub const PANICKED: u8 = b'P';
pub const PASSED: u8 = b'K';
pub const FAILED: u8 = b'F';
pub const MEMORY: u8 = b'M';
pub const HEADER_BYTES: usize = 13;

pub fn header(kind: u8, nonce: u64, len: usize) -> [u8; HEADER_BYTES] {
    let mut bytes = [kind; HEADER_BYTES];
    bytes[1..9].copy_from_slice(&nonce.to_le_bytes());
    bytes[9..].copy_from_slice(&(len as u32).to_le_bytes());
    bytes
}
