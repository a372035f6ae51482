"""The filter of system calls under which a command runs, as plain BPF.

It denies what no compiler and no plain program needs and what widens the kernel's surface: sockets of every family (a
network namespace does not close AF_VSOCK), tracing, mounting, new namespaces, keys, BPF, io_uring, and memory that no
limit of a process counts (memfd, System V). Everything else passes: isolation is the namespaces' work, and a list of
what is allowed would break honest programs with each new libc.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_JUMP_SET: Final = 0x45
_RETURN: Final = 0x06

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_ERROR: Final = 0x0005_0000

_EPERM: Final = 1
_EACCES: Final = 13
_ENOSYS: Final = 38

# Offsets in struct seccomp_data; the low halves of arguments, as both machines are little-endian.
_NUMBER_AT: Final = 0
_MACHINE_AT: Final = 4
_FIRST_ARGUMENT_AT: Final = 16
_SECOND_ARGUMENT_AT: Final = 24

_NEW_NAMESPACES: Final = 0x7E02_0000
"""Flags of clone that ask for a namespace: mount, cgroup, UTS, IPC, user, PID and network."""

# Requests of ioctl that type into a terminal.
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C


class NoFilterError(Exception):
    """This machine's system calls are not known here. The message is a clause that says so."""


_COMMON: Final[Mapping[str, int]] = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "statmount": 457,
    "listmount": 458,
}
"""Calls that have the same number on every machine, as all from 424 on."""

_X86_64: Final[Mapping[str, int]] = {
    "ioctl": 16,
    "shmget": 29,
    "shmat": 30,
    "shmctl": 31,
    "socket": 41,
    "socketpair": 53,
    "clone": 56,
    "semget": 64,
    "msgget": 68,
    "ptrace": 101,
    "syslog": 103,
    "mknod": 133,
    "uselib": 134,
    "personality": 135,
    "vhangup": 153,
    "modify_ldt": 154,
    "pivot_root": 155,
    "adjtimex": 159,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "io_setup": 206,
    "clock_settime": 227,
    "mbind": 237,
    "set_mempolicy": 238,
    "mq_open": 240,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "migrate_pages": 256,
    "mknodat": 259,
    "unshare": 272,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "memfd_create": 319,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}

_AARCH64: Final[Mapping[str, int]] = {
    "io_setup": 0,
    "ioctl": 29,
    "mknodat": 33,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "personality": 92,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "adjtimex": 171,
    "mq_open": 180,
    "msgget": 186,
    "semget": 190,
    "shmget": 194,
    "shmctl": 195,
    "shmat": 196,
    "socket": 198,
    "socketpair": 199,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "clone": 220,
    "swapon": 224,
    "swapoff": 225,
    "mbind": 235,
    "set_mempolicy": 237,
    "migrate_pages": 238,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "memfd_create": 279,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of processor, as the kernel sees it."""

    audit: int
    """The architecture's number in the data that the kernel hands to a filter."""
    calls: Mapping[str, int]
    """The calls that the filter names, with their numbers."""


MACHINES: Final[Mapping[str, Machine]] = {
    "x86_64": Machine(0xC000_003E, {**_COMMON, **_X86_64}),
    "aarch64": Machine(0xC000_00B7, {**_COMMON, **_AARCH64}),
}
"""The machines that are known here, by the name that `uname -m` gives them."""

_BEYOND: Final = 463
"""One after the last call of Linux 6.12 (mseal): to programs, later ones and those of the x32 ABI do not exist."""

_SOCKETS: Final = frozenset({"socket", "socketpair"})
"""Calls that are refused as a firewall would: programs report "permission denied"."""

_FILTERED: Final = frozenset({"clone", "clone3", "ioctl"})
"""Calls that are looked at, or that the C library does otherwise where they do not exist."""


def seccomp_filter(machine: str) -> bytes:
    """Return the filter for a machine, as bubblewrap reads it from a file: an array of struct sock_filter.

    `machine`: as `uname -m` names it. Raises NoFilterError.
    """
    known = MACHINES.get(machine)
    if known is None:
        raise NoFilterError(f"no filter of system calls is known for {machine}, only for {', '.join(MACHINES)}")
    calls = known.calls
    program = [
        _instruction(_LOAD, _MACHINE_AT),
        _instruction(_JUMP_EQUAL, known.audit, yes=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER_AT),
        _instruction(_JUMP_GREATER_EQUAL, _BEYOND, no=1),
        _instruction(_RETURN, _ERROR | _ENOSYS),
    ]
    for name in sorted(calls.keys() - _FILTERED):
        error = _EACCES if name in _SOCKETS else _EPERM
        program += [_instruction(_JUMP_EQUAL, calls[name], no=1), _instruction(_RETURN, _ERROR | error)]
    # Its flags lie in memory, which a filter cannot read; the C library falls back to clone.
    program += [_instruction(_JUMP_EQUAL, calls["clone3"], no=1), _instruction(_RETURN, _ERROR | _ENOSYS)]
    program += [
        _instruction(_JUMP_EQUAL, calls["clone"], no=4),
        _instruction(_LOAD, _FIRST_ARGUMENT_AT),
        _instruction(_JUMP_SET, _NEW_NAMESPACES, no=1),
        _instruction(_RETURN, _ERROR | _EPERM),
        _instruction(_RETURN, _ALLOW),
        _instruction(_JUMP_EQUAL, calls["ioctl"], no=5),
        _instruction(_LOAD, _SECOND_ARGUMENT_AT),
        _instruction(_JUMP_EQUAL, _TIOCSTI, yes=2),
        _instruction(_JUMP_EQUAL, _TIOCLINUX, yes=1),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _ERROR | _EPERM),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return one instruction. `yes`, `no`: how many a jump leaves out when its condition holds, and when not."""
    return struct.pack("HBBI", code, yes, no, value)
