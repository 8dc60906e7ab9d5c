"""Communications link control word: CCSDS 232.0-B-4 clause 4.2.1, the report that COP-1 (232.1-B-2) runs on.

It travels back in the operational control field of TM, AOS or USLP frames.
"""

from typing import NamedTuple

from construct import BitsInteger, BitStruct, Flag

from flightsw.ccsds.header_rows import build_header
from flightsw.errors import FrameError

LAYOUT = BitStruct(
    "control_word_type" / BitsInteger(1),
    "version" / BitsInteger(2),
    "status" / BitsInteger(3),
    "cop_in_effect" / BitsInteger(2),
    "virtual_channel" / BitsInteger(6),
    "spare" / BitsInteger(2),
    "no_rf_available" / Flag,
    "no_bit_lock" / Flag,
    "lockout" / Flag,
    "wait" / Flag,
    "retransmit" / Flag,
    "farm_b_counter" / BitsInteger(2),
    "spare_bit" / BitsInteger(1),
    "report_value" / BitsInteger(8),
)
CLCW_OCTETS = 4
COP_1 = 1


class Clcw(NamedTuple):
    """What the receiver of a virtual channel reports; report_value is V(R), the next sequence number it expects."""

    virtual_channel: int
    report_value: int
    lockout: bool = False
    wait: bool = False
    retransmit: bool = False
    farm_b_counter: int = 0
    no_rf_available: bool = False
    no_bit_lock: bool = False
    status: int = 0
    cop_in_effect: int = COP_1


def pack(clcw: Clcw) -> bytes:
    """The 4 octets of a control word. Raises FrameError for a field that does not fit."""
    return build_header(LAYOUT, control_word_type=0, version=0, spare=0, spare_bit=0, **clcw._asdict())


def unpack(octets: bytes) -> Clcw:
    """A control word from its 4 octets. Raises FrameError for a wrong length, type or version; spare bits are free."""
    if len(octets) != CLCW_OCTETS:
        raise FrameError("CLCW", expected=f"{CLCW_OCTETS} octets", found=len(octets))
    word = LAYOUT.parse(octets)
    for name in ("control_word_type", "version"):
        if word[name] != 0:
            raise FrameError(f"CLCW {name.replace('_', ' ')}", expected=0, found=word[name])
    return Clcw(**{name: word[name] for name in Clcw._fields})
