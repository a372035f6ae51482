//! The program that runs an answer's library: a child for each input, and a report about each child.
//!
//! It holds no code of the answer: only its children load the library. It takes its orders from stdin (lines of numbers,
//! an empty line, then the pool) and writes one report for each item to stdout: a letter, the text's length as four
//! bytes (little-endian), and the text.

#[allow(dead_code)] // It uses the half that is the child's.
mod wire;

use std::ffi::{c_char, c_int, c_void, CString};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use wire::{header, Item, DONE, DRAW, HEADER_BYTES, NOT_LOADED};

/// Bytes that are read of one child's report. The library keeps its texts far below.
const REPORT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of main stack: pinned, since a stack overflow is an outcome.
const STACK_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of address space of a child, above what the library's own allocator allows: a guard for programs without it.
const ADDRESS_BYTES: u64 = 1024 * 1024 * 1024;
/// Time between two looks at a child that says nothing.
const LOOK_MS: c_int = 50;
/// A child that used less CPU than this between two looks rests.
const REST_NS: i64 = 100_000;
/// Wall time of one child, in multiples of its CPU time, after which the machine is too slow to say anything.
const PATIENCE: u32 = 20;
/// Children without an outcome, after which the rest is not run.
const FRUITLESS_MAX: usize = 4;

// Reports that the runner makes itself.
const CRASHED: u8 = b'C';
const EXITED: u8 = b'X';
const DEADLOCKED: u8 = b'D';
const OUT_OF_TIME: u8 = b'T';
const SPOILED: u8 = b'S';
const NOT_RUN: u8 = b'N';

const SIGKILL: c_int = 9;
const SIGXCPU: c_int = 24;
const SIGPROF: c_int = 27;
const ITIMER_PROF: c_int = 2;
const RLIMIT_CPU: c_int = 0;
const RLIMIT_STACK: c_int = 3;
const RLIMIT_CORE: c_int = 4;
const RLIMIT_AS: c_int = 9;
const O_RDWR: c_int = 2;
const O_NONBLOCK: c_int = 0o4000;
const F_SETFL: c_int = 4;
const RTLD_NOW: c_int = 2;
const POLLIN: i16 = 1;
/// The same number on all architectures.
const PIDFD_OPEN: i64 = 434;

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: i16,
    returned: i16,
}

extern "C" {
    fn fork() -> c_int;
    fn getrandom(bytes: *mut u8, len: usize, flags: u32) -> isize;
    fn pipe(ends: *mut c_int) -> c_int;
    fn open(path: *const c_char, flags: c_int) -> c_int;
    fn close(fd: c_int) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn read(fd: c_int, bytes: *mut u8, len: usize) -> isize;
    fn poll(fds: *mut PollFd, count: u64, timeout_ms: c_int) -> c_int;
    fn setpgid(pid: c_int, group: c_int) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn wait4(pid: c_int, status: *mut c_int, options: c_int, usage: *mut [i64; 18]) -> c_int;
    fn setitimer(which: c_int, new: *const [i64; 4], old: *mut [i64; 4]) -> c_int;
    fn setrlimit(which: c_int, limit: *const Limit) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    fn syscall(number: i64, ...) -> i64;
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn _exit(code: c_int) -> !;
}

/// One kind of work, on items 0 to `count`.
struct Order {
    kind: u8,
    count: usize,
    seed: u64,
    hash_seed: u64,
    /// CPU time of one child.
    cpu_ms: u64,
    /// Time without CPU use after which a child is deadlocked.
    rest_ms: u64,
    /// CPU time of all children together.
    total_cpu_ms: u64,
}

fn c_text(bytes: &'static [u8]) -> *const c_char {
    bytes.as_ptr().cast()
}

struct Report {
    kind: u8,
    text: Vec<u8>,
}

impl Report {
    fn bare(kind: u8) -> Report {
        Report { kind, text: vec![] }
    }
}

/// The orders and the pool; none where they are malformed.
fn read_orders() -> Option<(Vec<Order>, Vec<u8>)> {
    let mut input = vec![];
    std::io::stdin().read_to_end(&mut input).ok()?;
    let end = input.windows(2).position(|bytes| bytes == b"\n\n")?;
    let lines = std::str::from_utf8(&input[..end]).ok()?;
    let orders = lines.lines().map(read_order).collect::<Option<Vec<Order>>>()?;
    Some((orders, input[end + 2..].to_vec()))
}

fn read_order(line: &str) -> Option<Order> {
    let mut numbers = line.split(' ').map(|word| word.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    Some(Order {
        kind: next()? as u8,
        count: next()? as usize,
        seed: next()?,
        hash_seed: next()?,
        cpu_ms: next()?,
        rest_ms: next()?,
        total_cpu_ms: next()?,
    })
}

/// In the child: limits, nothing to read from or write to, and then the library.
unsafe fn run_child(library: &CString, order: &Order, pool: &[u8], index: usize, report: (c_int, u64)) -> ! {
    setpgid(0, 0);
    let null = open(c_text(b"/dev/null\0"), O_RDWR);
    for fd in 0..3 {
        dup2(null, fd);
    }
    let (s, us) = ((order.cpu_ms / 1000) as i64, (order.cpu_ms % 1000 * 1000) as i64);
    setitimer(ITIMER_PROF, &[0, 0, s, us], std::ptr::null_mut());
    let cpu_s = order.cpu_ms / 1000 + 2;
    for (which, most) in
        [(RLIMIT_CPU, cpu_s), (RLIMIT_CORE, 0), (RLIMIT_STACK, STACK_BYTES), (RLIMIT_AS, ADDRESS_BYTES)]
    {
        setrlimit(which, &Limit { soft: most, hard: most });
    }
    let handle = dlopen(library.as_ptr(), RTLD_NOW);
    if handle.is_null() {
        _exit(NOT_LOADED);
    }
    let run = dlsym(handle, c_text(b"strand_run\0"));
    if run.is_null() {
        _exit(NOT_LOADED);
    }
    let run: extern "C" fn(*const Item) -> ! = std::mem::transmute(run);
    run(&Item {
        kind: order.kind,
        index,
        seed: order.seed,
        hash_seed: order.hash_seed ^ index as u64,
        pool: pool.as_ptr(),
        pool_len: pool.len(),
        report_fd: report.0,
        nonce: report.1,
    })
}

/// CPU time of a process with all its threads; none where it has ended.
unsafe fn cpu_ns(pid: c_int) -> Option<i64> {
    // The kernel's clock of another process: its number, inverted, above three bits that choose "CPU, whole process".
    let mut time = [0i64; 2];
    (clock_gettime(((!pid) << 3) | 2, &mut time) == 0).then(|| time[0] * 1_000_000_000 + time[1])
}

/// What was seen of a child while it ran.
struct Watched {
    bytes: Vec<u8>,
    ended: bool,
    deadlocked: bool,
    /// It rested so long that on another machine it might have counted as deadlocked.
    rested_long: bool,
}

/// Reads a child's report until it ends, rests for too long, or time is up.
unsafe fn watch(pid: c_int, pidfd: c_int, pipe_fd: c_int, order: &Order) -> Watched {
    let mut seen = Watched { bytes: vec![], ended: false, deadlocked: false, rested_long: false };
    let rest = Duration::from_millis(order.rest_ms);
    let patience = Duration::from_millis(order.cpu_ms) * PATIENCE;
    let began = Instant::now();
    let (mut used_ns, mut busy_at) = (0, began);
    let mut pipe_open = true;
    while !seen.ended && seen.bytes.len() <= REPORT_BYTES_MAX && began.elapsed() < patience {
        let mut fds = [
            PollFd { fd: pidfd, events: POLLIN, returned: 0 },
            PollFd { fd: if pipe_open { pipe_fd } else { -1 }, events: POLLIN, returned: 0 },
        ];
        let ready = poll(fds.as_mut_ptr(), 2, LOOK_MS);
        seen.ended = fds[0].returned != 0;
        if fds[1].returned != 0 {
            pipe_open = drain(pipe_fd, &mut seen.bytes);
        }
        if ready == 0 {
            let now_ns = cpu_ns(pid).unwrap_or(used_ns);
            if now_ns - used_ns >= REST_NS {
                busy_at = Instant::now();
            }
            used_ns = now_ns;
            seen.rested_long |= busy_at.elapsed() * 2 > rest;
            if busy_at.elapsed() > rest {
                seen.deadlocked = true;
                return seen;
            }
        }
    }
    drain(pipe_fd, &mut seen.bytes);
    seen
}

/// Reads what is there, and says whether more may come.
unsafe fn drain(fd: c_int, bytes: &mut Vec<u8>) -> bool {
    let mut buffer = [0u8; 4096];
    while bytes.len() <= REPORT_BYTES_MAX {
        let count = read(fd, buffer.as_mut_ptr(), buffer.len());
        if count <= 0 {
            return count < 0;
        }
        bytes.extend_from_slice(&buffer[..count as usize]);
    }
    false
}

/// One child from fork to report, and its CPU time.
unsafe fn run_one(library: &CString, order: &Order, pool: &[u8], index: usize) -> (Report, Duration) {
    let mut ends = [0; 2];
    if pipe(ends.as_mut_ptr()) != 0 {
        return (Report::bare(NOT_RUN), Duration::ZERO);
    }
    let mut nonce = 0u64;
    getrandom(&mut nonce as *mut u64 as *mut u8, 8, 0);
    let pid = fork();
    if pid == 0 {
        close(ends[0]);
        run_child(library, order, pool, index, (ends[1], nonce));
    }
    close(ends[1]);
    if pid < 0 {
        close(ends[0]);
        return (Report::bare(NOT_RUN), Duration::ZERO);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    let pidfd = syscall(PIDFD_OPEN, pid, 0) as c_int;
    let seen = watch(pid, pidfd, ends[0], order);
    // Its whole group, which it may have left; what is left then dies with the sandbox.
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    let (mut status, mut usage) = (0, [0i64; 18]);
    wait4(pid, &mut status, 0, &mut usage);
    close(ends[0]);
    close(pidfd);
    let used = Duration::from_secs((usage[0] + usage[2]) as u64) + Duration::from_micros((usage[1] + usage[3]) as u64);
    (read_report(seen, status, nonce), used)
}

fn read_report(seen: Watched, status: c_int, nonce: u64) -> Report {
    let (signal, code) = (status & 127, (status >> 8) & 255);
    if seen.deadlocked {
        return Report::bare(DEADLOCKED);
    }
    if !seen.ended || seen.rested_long || signal == SIGPROF || signal == SIGXCPU || signal == SIGKILL {
        return Report::bare(OUT_OF_TIME);
    }
    if signal != 0 {
        return Report::bare(CRASHED);
    }
    if code != DONE {
        return Report { kind: EXITED, text: code.to_string().into_bytes() };
    }
    // Exactly one report: a program that writes to every file that it finds gets no outcome by it.
    let (head, text) = seen.bytes.split_at(HEADER_BYTES.min(seen.bytes.len()));
    match head.first() {
        Some(&kind) if *head == header(kind, nonce, text.len()) => Report { kind, text: text.to_vec() },
        _ => Report::bare(SPOILED),
    }
}

fn write_report(report: &Report) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(&[report.kind])?;
    out.write_all(&(report.text.len() as u32).to_le_bytes())?;
    out.write_all(&report.text)?;
    out.flush()
}

/// Takes memory that later allocations then do not get: in the second run addresses are others, also on a machine that
/// does not randomise them.
fn move_heap(hash_seed: u64) {
    let step = (hash_seed % 64) as usize;
    std::mem::forget(vec![1u8; step * 48]);
    std::mem::forget(vec![1u8; step * 192 * 1024]);
}

fn run_all(library: &CString, order: &Order, pool: &[u8]) -> std::io::Result<()> {
    let budget = Duration::from_millis(order.total_cpu_ms);
    let (mut used, mut fruitless) = (Duration::ZERO, 0);
    for index in 0..order.count {
        if used > budget || fruitless >= FRUITLESS_MAX {
            write_report(&Report::bare(NOT_RUN))?;
            continue;
        }
        let (report, took) = unsafe { run_one(library, order, pool, index) };
        used += took;
        if order.kind == DRAW && matches!(report.kind, OUT_OF_TIME | DEADLOCKED) {
            fruitless += 1;
        }
        write_report(&report)?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let library = std::env::args().nth(1).and_then(|path| CString::new(path).ok());
    let (library, orders, pool) = match (library, read_orders()) {
        (Some(library), Some((orders, pool))) => (library, orders, pool),
        _ => std::process::exit(2),
    };
    move_heap(orders.first().map_or(0, |order| order.hash_seed));
    for order in &orders {
        run_all(&library, order, &pool)?;
    }
    Ok(())
}
