//! What a program could read of this machine and this moment: randomness, the time of day, and free memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::generator::mix;
use crate::wire::{header, DONE, MEMORY};

extern "C" {
    fn syscall(number: i64, ...) -> i64;
    fn write(fd: i32, bytes: *const u8, len: usize) -> isize;
    fn _exit(code: i32) -> !;
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: i64 = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: i64 = 113;

const CLOCK_REALTIME: i32 = 0;

/// 14 November 2023: the time of day in each child, so that a date in an outcome is the same on all machines.
const TIME_OF_DAY_S: i64 = 1_700_000_000;

static STATE: AtomicU64 = AtomicU64::new(1);

/// Sets what `getrandom` returns: `HashMap`s iterate in an order that follows from it alone. An input is run with two
/// such seeds, and an outcome that differs between them is no information.
pub fn seed_randomness(seed: u64) {
    STATE.store(mix(seed) | 1, Ordering::Relaxed);
}

/// Takes the C library's place for std, which seeds its hash maps here.
#[no_mangle]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, _flags: u32) -> isize {
    let mut state = STATE.load(Ordering::Relaxed);
    for i in 0..len {
        state = mix(state.wrapping_add(i as u64 + 1));
        *buffer.add(i) = state as u8;
    }
    STATE.store(state | 1, Ordering::Relaxed);
    len as isize
}

/// Takes the C library's place for `SystemTime`. Its nanoseconds follow the hash seed, so that a program that uses them
/// as randomness is found by the second run. `Instant` stays real: programs measure and wait with it.
#[no_mangle]
pub unsafe extern "C" fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32 {
    if clock == CLOCK_REALTIME {
        *time = [TIME_OF_DAY_S, (STATE.load(Ordering::Relaxed) % 1_000_000_000) as i64];
        return 0;
    }
    syscall(CLOCK_GETTIME, clock, time) as i32
}

/// Bytes that one input may hold at a time. Counted here, because a limit of the kernel also counts what the loader, the
/// C library and thread stacks take, which differs between machines.
const MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static REPORT_FD: AtomicUsize = AtomicUsize::new(0);
static NONCE: AtomicU64 = AtomicU64::new(0);

/// Where `CountingAllocator` reports that memory ran out: the program gets no chance to go on with less.
pub fn report_memory_to(fd: i32, nonce: u64) {
    REPORT_FD.store(fd as usize, Ordering::Relaxed);
    NONCE.store(nonce, Ordering::Relaxed);
}

/// The system's allocator with an exact limit. Beyond it the child reports "out of memory", which is no information.
pub struct CountingAllocator;

impl CountingAllocator {
    fn take(&self, bytes: usize) {
        if IN_USE.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > MEMORY_BYTES_MAX {
            let report = header(MEMORY, NONCE.load(Ordering::Relaxed), 0);
            unsafe {
                write(REPORT_FD.load(Ordering::Relaxed) as i32, report.as_ptr(), report.len());
                _exit(DONE)
            }
        }
    }

    fn give_back(&self, bytes: usize) {
        IN_USE.fetch_sub(bytes, Ordering::Relaxed);
    }
}

unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        System.alloc(layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        System.alloc_zeroed(layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.take(size);
        self.give_back(layout.size());
        System.realloc(block, layout, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.give_back(layout.size());
        System.dealloc(block, layout);
    }
}
