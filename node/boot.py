"""The id of the kernel's present boot. A new id means that writes without fsync may be lost."""

from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
"""Linux's file with the boot id: 36 characters and a newline. In a container it is the machine's, as required."""

BOOT_ID_CHARS_MAX = 64
"""Characters that are read of it."""


def boot_id(file: Path = BOOT_ID_FILE) -> str:
    """Return the id of the present boot; empty if the kernel does not provide it."""
    try:
        with file.open(encoding="ascii") as opened:
            return opened.read(BOOT_ID_CHARS_MAX).strip()
    except (OSError, UnicodeDecodeError):
        return ""
