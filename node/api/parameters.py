"""Parameters of query strings: integers, texts and words, each with its bounds and its JSON schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

INTEGER_MAX: Final = 999_999_999
"""Greatest integer of a parameter that states no bound: more than any accepted time in ms or number of nodes."""

DIGITS_MAX: Final = 16
"""Most digits that are read: of the latest time in ms since the Unix epoch (TIME_MS_MAX)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An integer of the query string."""

    name: str
    default: int
    description: str
    minimum: int = 0
    maximum: int = INTEGER_MAX

    def read(self, text: str) -> int:
        """Return the integer that the text gives. Raises ValueError, whose message is one line."""
        value = int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else -1
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{self.name} is an integer from {self.minimum} to {self.maximum}")
        return value

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the value."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum, "default": self.default}


@dataclass(frozen=True, slots=True)
class TextParameter:
    """A text of the query string; empty if it is not given."""

    name: str
    description: str
    chars_max: int
    default: str = ""

    def read(self, text: str) -> str:
        """Return the text. Raises ValueError, whose message is one line."""
        if len(text) > self.chars_max:
            raise ValueError(f"{self.name} has at most {self.chars_max} characters")
        return text

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the value."""
        return {"type": "string", "maxLength": self.chars_max, "default": self.default}


@dataclass(frozen=True, slots=True)
class WordParameter:
    """One of an enumeration's words; None if it is not given."""

    name: str
    description: str
    words: type[StrEnum]
    default: None = None

    def read(self, text: str) -> StrEnum:
        """Return the member with this value. Raises ValueError, whose message is one line."""
        try:
            return self.words(text)
        except ValueError:
            raise ValueError(f"{self.name} is one of {', '.join(self.words)}") from None

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the value."""
        return {"type": "string", "enum": [str(each) for each in self.words]}


AnyParameter = Parameter | TextParameter | WordParameter
