// What a sandbox is tried with before it is trusted (proof.py). Each task does what a hostile program would begin with,
// within bounds of its own: if the sandbox does not hold, it must do no harm.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

fn say(name: &str, value: bool) {
    println!("{name}={}", if value { "yes" } else { "no" });
}

/// Looks for what lies outside: a file, its folder, a server on this machine, the owner's environment.
fn look(arguments: &[String]) {
    let (file, folder, server) = (&arguments[0], &arguments[1], &arguments[2]);
    say("reads", std::fs::read(file).is_ok());
    say("lists", std::fs::read_dir(folder).is_ok());
    say("writes", std::fs::write(format!("{folder}/made"), "x").is_ok());
    let address: SocketAddr = server.parse().unwrap();
    say("connects", TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
    say("binds", UdpSocket::bind("127.0.0.1:0").is_ok());
    say("inherits", std::env::vars_os().any(|(name, _)| name == "STRAND_SANDBOX_PROOF"));
    say("works", std::fs::write("own", "x").is_ok());
}

/// Starts threads, which count as processes, up to a number; says how many there were at once.
fn multiply(arguments: &[String]) {
    let wanted: usize = arguments[0].parse().unwrap();
    let mut started = 0;
    for _ in 0..wanted {
        // They end with the process.
        let thread = std::thread::Builder::new().stack_size(65_536).spawn(|| loop {
            std::thread::park();
        });
        if thread.is_err() {
            break;
        }
        started += 1;
    }
    println!("started={started}");
    // So that two such programs are there at the same time.
    std::thread::sleep(Duration::from_millis(300));
}

/// Takes memory, page by page, up to a number of MiB.
fn fill(arguments: &[String]) {
    let wanted: usize = arguments[0].parse().unwrap();
    let mut held = Vec::new();
    for _ in 0..wanted {
        held.push(vec![1u8; 1 << 20]);
    }
    println!("filled={}", held.len());
    // Long enough to be seen.
    std::thread::sleep(Duration::from_secs(1));
}

/// Writes lines up to a number of MiB.
fn flood(arguments: &[String]) {
    let wanted: usize = arguments[0].parse().unwrap();
    for _ in 0..wanted {
        if std::io::stdout().write_all(&vec![b'x'; 1 << 20]).is_err() {
            break;
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments[0].as_str() {
        "look" => look(&arguments[1..]),
        "multiply" => multiply(&arguments[1..]),
        "fill" => fill(&arguments[1..]),
        "flood" => flood(&arguments[1..]),
        _ => std::thread::sleep(Duration::from_secs(60)),
    }
}
