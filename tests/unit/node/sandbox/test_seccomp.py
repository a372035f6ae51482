import re
import struct
from pathlib import Path

import pytest

from node.sandbox.seccomp import MACHINES, NoFilterError, seccomp_filter

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
EPERM, EACCES, ENOSYS = (0x50000 | number for number in (1, 13, 38))

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"__NR_(\w+) (\d+)"),
    "aarch64": ("/usr/include/asm-generic/unistd.h", r"__NR(?:3264)?_(\w+) (\d+)"),
}


def decide(program: bytes, machine: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does."""
    told = struct.pack("<iIQ6Q", number & 0x7FFFFFFF, machine, 0, *(*arguments, *[0] * (6 - len(arguments))))
    steps = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    held, at = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("<I", told, value)
            case 0x06:
                return value
            case 0x15:
                at += yes if held == value else no
            case 0x35:
                at += yes if held >= value else no
            case 0x45:
                at += yes if held & value else no
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    path, pattern = HEADERS[machine]
    if not Path(path).exists():
        pytest.skip(f"there is no {path}: apt-get install linux-libc-dev")
    known = dict(re.findall(pattern, Path(path).read_text()))
    for name, number in MACHINES[machine].calls.items():
        assert known.get(name, str(number)) == str(number), name


@pytest.mark.parametrize("machine", MACHINES)
def test_what_widens_the_kernel_is_refused_and_the_rest_passes(machine: str) -> None:
    program, known = seccomp_filter(machine), MACHINES[machine]
    calls = known.calls

    def of(name: str, *arguments: int) -> int:
        return decide(program, known.audit, calls[name], *arguments)

    assert of("ptrace") == of("mount") == of("io_uring_setup") == of("keyctl") == of("memfd_create") == EPERM
    assert of("socket", 40) == of("socketpair", 1) == EACCES
    assert of("clone3") == ENOSYS
    assert of("clone", 0x3D0F00) == ALLOWED, "what makes a thread"
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert of("clone", flag | 17) == EPERM
    assert of("ioctl", 1, 0x5401) == ALLOWED
    assert of("ioctl", 1, 0x5412) == of("ioctl", 0, 0x541C) == EPERM
    # Bits above the 32 that the kernel looks at do not hide a request.
    assert of("ioctl", 1, 0xFFFF_FFFF_0000_5412) == EPERM
    for number in set(range(463)) - set(calls.values()):
        assert decide(program, known.audit, number) == ALLOWED
    for number in (463, 511, 1_000, 0x4000_0000 + 41):
        assert decide(program, known.audit, number) == ENOSYS
    assert decide(program, 0x40000003, 20) == KILLED, "another machine's calls"


def test_a_machine_that_is_not_known_has_no_filter() -> None:
    with pytest.raises(NoFilterError, match="riscv64"):
        seccomp_filter("riscv64")
