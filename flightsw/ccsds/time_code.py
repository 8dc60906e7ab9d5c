"""Time codes, CCSDS 301.0-B-4: unsegmented (CUC, clause 3.2) and day segmented (CDS, clause 3.3).

A code is a P-field that says how it is laid out, and a T-field with the time. Either may travel alone where both ends
agree on the layout. Times are exact: integers, or fractions of a second.

The CCSDS epoch is 1958-01-01, of TAI in CUC and of UTC in CDS; an agency-defined epoch is one that both ends agree on.
A CDS day with a leap second has 86,401 s, or 86,399.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple, Self

from construct import BitsInteger, BitStruct, Flag

from flightsw.ccsds.header_rows import build_header
from flightsw.errors import ConfigError, FrameError

Epoch = Literal["1958", "agency"]

CUC_P_FIELD = BitStruct(
    "extension" / Flag,
    "code" / BitsInteger(3),
    "basic_octets_minus_one" / BitsInteger(2),
    "fractional_octets" / BitsInteger(2),
)
CUC_P_FIELD_EXTENSION = BitStruct(
    "extension" / Flag,
    "basic_octets" / BitsInteger(2),
    "fractional_octets" / BitsInteger(3),
    "reserved" / BitsInteger(2),
)
CDS_P_FIELD = BitStruct(
    "extension" / Flag,
    "code" / BitsInteger(3),
    "agency_epoch" / Flag,
    "long_day" / Flag,
    "submillisecond" / BitsInteger(2),
)

_CUC_CODES: dict[Epoch, int] = {"1958": 0b001, "agency": 0b010}
_CDS_CODE = 0b100
_MOST_BASIC, _MOST_BASIC_EXTENDED = 4, 7
_MOST_FRACTIONAL, _MOST_FRACTIONAL_EXTENDED = 3, 10
_MILLISECONDS = 86_401_000
_MILLISECOND_OCTETS = 4
_SUBMILLISECOND_CODES = {0: 0b00, 2: 0b01, 4: 0b10}
_SUBMILLISECOND_PARTS = {0: 1, 2: 1_000, 4: 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Cuc:
    """Layout of a CUC code: octets of whole seconds (1 to 7), of their fraction (0 to 10), and the epoch.

    More than 4 and 3 need the second octet of the P-field.
    """

    basic_octets: int = 4
    fractional_octets: int = 3
    epoch: Epoch = "agency"

    def __post_init__(self) -> None:
        """Raise ConfigError for a layout that does not exist."""
        if not 1 <= self.basic_octets <= _MOST_BASIC_EXTENDED:
            raise ConfigError(f"CUC basic_octets: expected 1 to {_MOST_BASIC_EXTENDED}, found {self.basic_octets}")
        if not 0 <= self.fractional_octets <= _MOST_FRACTIONAL_EXTENDED:
            raise ConfigError(
                f"CUC fractional_octets: expected 0 to {_MOST_FRACTIONAL_EXTENDED}, found {self.fractional_octets}"
            )
        if self.epoch not in _CUC_CODES:
            raise ConfigError(f"CUC epoch: expected '1958' or 'agency', found {self.epoch!r}")

    @property
    def octets(self) -> int:
        """Length of the T-field."""
        return self.basic_octets + self.fractional_octets

    @property
    def p_field(self) -> bytes:
        """The P-field, 1 or 2 octets."""
        basic = min(self.basic_octets, _MOST_BASIC)
        fractional = min(self.fractional_octets, _MOST_FRACTIONAL)
        extended = (basic, fractional) != (self.basic_octets, self.fractional_octets)
        p_field = build_header(
            CUC_P_FIELD,
            extension=extended,
            code=_CUC_CODES[self.epoch],
            basic_octets_minus_one=basic - 1,
            fractional_octets=fractional,
        )
        if extended:
            p_field += build_header(
                CUC_P_FIELD_EXTENSION,
                extension=False,
                basic_octets=self.basic_octets - basic,
                fractional_octets=self.fractional_octets - fractional,
                reserved=0,
            )
        return p_field

    @classmethod
    def from_p_field(cls, octets: bytes) -> tuple[Self, int]:
        """The layout at the start of the octets, and the length of its P-field. Raises FrameError if there is none."""
        header = _parse(CUC_P_FIELD, "CUC P-field", octets)
        epochs = {code: epoch for epoch, code in _CUC_CODES.items()}
        if header.code not in epochs:
            raise FrameError("CUC code", expected="001 or 010", found=f"{header.code:03b}")
        basic, fractional = header.basic_octets_minus_one + 1, header.fractional_octets
        if not header.extension:
            return cls(basic, fractional, epochs[header.code]), 1
        extension = _parse(CUC_P_FIELD_EXTENSION, "second octet of the CUC P-field", octets[1:])
        if extension.extension or extension.reserved:
            raise FrameError(
                "second octet of the CUC P-field", expected="no reserved bits set", found=f"{octets[1]:08b}"
            )
        return cls(basic + extension.basic_octets, fractional + extension.fractional_octets, epochs[header.code]), 2

    def encode(self, time_s: Fraction | float) -> bytes:
        """T-field of a time in seconds since the epoch, rounded down to the resolution.

        Raises FrameError for a time before the epoch or beyond the code's range.
        """
        if not 0 <= time_s < 1 << 8 * self.basic_octets:
            raise FrameError("CUC time", expected=f"0 to 2^{8 * self.basic_octets} s", found=time_s)
        parts = Fraction(time_s) * (1 << 8 * self.fractional_octets)
        return int(parts).to_bytes(self.octets, "big")

    def decode(self, octets: bytes) -> Fraction:
        """Time in seconds since the epoch of a T-field. Raises FrameError for a wrong length."""
        if len(octets) != self.octets:
            raise FrameError("CUC T-field", expected=f"{self.octets} octets", found=len(octets))
        return Fraction(int.from_bytes(octets, "big"), 1 << 8 * self.fractional_octets)


class CdsTime(NamedTuple):
    """Days since the epoch, milliseconds of the day, and what is beyond: microseconds or picoseconds, as laid out."""

    day: int
    millisecond: int
    submillisecond: int = 0


@dataclass(frozen=True, slots=True)
class Cds:
    """Layout of a CDS code: octets of the day (2 or 3), of the submillisecond (0, 2 for us, 4 for ps), epoch."""

    day_octets: int = 2
    submillisecond_octets: int = 0
    epoch: Epoch = "1958"

    def __post_init__(self) -> None:
        """Raise ConfigError for a layout that does not exist."""
        if self.day_octets not in (2, 3):
            raise ConfigError(f"CDS day_octets: expected 2 or 3, found {self.day_octets}")
        if self.submillisecond_octets not in _SUBMILLISECOND_CODES:
            raise ConfigError(f"CDS submillisecond_octets: expected 0, 2 or 4, found {self.submillisecond_octets}")
        if self.epoch not in _CUC_CODES:
            raise ConfigError(f"CDS epoch: expected '1958' or 'agency', found {self.epoch!r}")

    @property
    def octets(self) -> int:
        """Length of the T-field."""
        return self.day_octets + _MILLISECOND_OCTETS + self.submillisecond_octets

    @property
    def p_field(self) -> bytes:
        """The P-field, 1 octet."""
        return build_header(
            CDS_P_FIELD,
            extension=False,
            code=_CDS_CODE,
            agency_epoch=self.epoch == "agency",
            long_day=self.day_octets == 3,
            submillisecond=_SUBMILLISECOND_CODES[self.submillisecond_octets],
        )

    @classmethod
    def from_p_field(cls, octets: bytes) -> tuple[Self, int]:
        """The layout at the start of the octets, and the length of its P-field. Raises FrameError if there is none."""
        header = _parse(CDS_P_FIELD, "CDS P-field", octets)
        if header.extension:
            raise FrameError("CDS P-field extension", expected=0, found=1)
        if header.code != _CDS_CODE:
            raise FrameError("CDS code", expected=f"{_CDS_CODE:03b}", found=f"{header.code:03b}")
        lengths = {code: length for length, code in _SUBMILLISECOND_CODES.items()}
        if header.submillisecond not in lengths:
            raise FrameError("CDS submillisecond code", expected="00, 01 or 10", found="11")
        epoch: Epoch = "agency" if header.agency_epoch else "1958"
        return cls(3 if header.long_day else 2, lengths[header.submillisecond], epoch), 1

    def encode(self, time: CdsTime) -> bytes:
        """T-field of a time. Raises FrameError for a part beyond its range."""
        self._require(time)
        return (
            time.day.to_bytes(self.day_octets, "big")
            + time.millisecond.to_bytes(_MILLISECOND_OCTETS, "big")
            + time.submillisecond.to_bytes(self.submillisecond_octets, "big")
        )

    def decode(self, octets: bytes) -> CdsTime:
        """Time of a T-field. Raises FrameError for a wrong length or a part beyond its range."""
        if len(octets) != self.octets:
            raise FrameError("CDS T-field", expected=f"{self.octets} octets", found=len(octets))
        day, rest = octets[: self.day_octets], octets[self.day_octets :]
        time = CdsTime(
            int.from_bytes(day, "big"),
            int.from_bytes(rest[:_MILLISECOND_OCTETS], "big"),
            int.from_bytes(rest[_MILLISECOND_OCTETS:], "big"),
        )
        self._require(time)
        return time

    def _require(self, time: CdsTime) -> None:
        ranges = (1 << 8 * self.day_octets, _MILLISECONDS, _SUBMILLISECOND_PARTS[self.submillisecond_octets])
        for name, value, end in zip(time._fields, time, ranges, strict=True):
            if not 0 <= value < end:
                raise FrameError(f"CDS {name}", expected=f"0 to {end - 1}", found=value)


def _parse(declaration: BitStruct, what: str, octets: bytes) -> Any:
    if not octets:
        raise FrameError(what, expected="1 octet", found=0)
    return declaration.parse(octets[:1])
