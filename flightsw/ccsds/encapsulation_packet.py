"""Encapsulation packets, CCSDS 133.1-B-3: the idle packets (clause 4.1.2) that complete the zones of USLP frames."""

from construct import BitsInteger, BitStruct

from flightsw.ccsds.header_rows import build_header
from flightsw.errors import FrameError

# A length of 0, 1, 2 or 4 octets follows; ahead of the last two, 1 and 3 octets of fields that idle packets leave zero.
HEADER = BitStruct("version" / BitsInteger(3), "protocol_id" / BitsInteger(3), "length_of_length" / BitsInteger(2))
VERSION = 0b111
IDLE_PROTOCOL_ID = 0
SMALLEST_PACKET = 1
LARGEST_IDLE_PACKET = 65535

_IDLE_FILL = b"\x55"


def idle_packet(octets: int) -> bytes:
    """An idle packet of that many octets in all. Raises FrameError unless they are 1 to 65535."""
    if not SMALLEST_PACKET <= octets <= LARGEST_IDLE_PACKET:
        raise FrameError(
            "encapsulation idle packet",
            expected=f"{SMALLEST_PACKET} to {LARGEST_IDLE_PACKET} octets",
            found=octets,
        )
    if octets == 1:
        code, length = 0, b""
    elif octets < 256:
        code, length = 1, octets.to_bytes(1, "big")
    else:
        code, length = 2, octets.to_bytes(3, "big")
    header = build_header(HEADER, version=VERSION, protocol_id=IDLE_PROTOCOL_ID, length_of_length=code) + length
    return header + _IDLE_FILL * (octets - len(header))
