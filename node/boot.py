"""Which boot of the kernel this process lives in: only with it does the kernel's memory of our files end."""

from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
"""Linux's name for it: 36 characters and a line's end. In a container it is the machine's, as it must be."""

BOOT_ID_CHARS_MAX = 64
"""characters that are read of it."""


def boot_id(file: Path = BOOT_ID_FILE) -> str:
    """Return the id of the present boot; empty where the kernel does not tell."""
    try:
        with file.open(encoding="ascii") as opened:
            return opened.read(BOOT_ID_CHARS_MAX).strip()
    except (OSError, UnicodeDecodeError):
        return ""
