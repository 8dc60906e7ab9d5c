"""What is fuzzed: every parser and decoder that takes octets from outside, chosen by the first octet of the input.

`python tests/fuzz/fuzz.py tests/fuzz/corpus -max_total_time=600` fuzzes them, with the package atheris. The corpus that
such runs found is replayed by `tests/fuzz/test_corpus.py`.
"""

from collections.abc import Callable

import numpy as np

from flightsw.ccsds import aos_frame, clcw, cltu, space_packet, tc_frame, tm_frame, uslp_frame
from flightsw.ccsds.demultiplexer import Demultiplexer
from flightsw.ccsds.frame_formats import frame_format
from flightsw.ccsds.link import LinkDecoder
from flightsw.ccsds.profile import load
from flightsw.ccsds.time_code import Cds, Cuc
from flightsw.errors import ConfigError, FrameError
from flightsw.services.file_transfer import FileReceiver, parse_report
from sim.oem import parse_oem

_PROFILES = {name: load(name) for name in ("aos_rs_i5", "tm_concatenated", "uslp_ar4ja", "aos_ldpc_c2", "tm_uncoded")}


def _time_code(data: bytes) -> None:
    for code in (Cuc, Cds):
        try:
            parsed, octets = code.from_p_field(data)
            parsed.decode(data[octets : octets + parsed.octets])
        except (FrameError, ConfigError):
            continue


def _frames(kind: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        rows = np.frombuffer(data[: len(data) // 64 * 64], np.uint8).reshape(-1, 64)
        for _ in Demultiplexer(frame_format(kind, 64, 42, "none")).push(rows).values():
            pass

    return run


def _link(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        decoder = LinkDecoder(_PROFILES[name])
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            decoder.push(np.frombuffer(part, np.uint8))
        decoder.flush()

    return run


def _file(data: bytes) -> None:
    parse_report(data)
    FileReceiver().accept(space_packet.parse(data))


TARGETS: tuple[Callable[[bytes], object], ...] = (
    space_packet.parse,
    lambda data: list(space_packet.split(data)),
    lambda data: tm_frame.parse(data, "none"),
    lambda data: aos_frame.parse(data, "none"),
    lambda data: aos_frame.parse(data, "none", header_error_control=True),
    lambda data: uslp_frame.parse(data, "none"),
    lambda data: tc_frame.parse(data, "none"),
    lambda data: list(tc_frame.split(data)),
    lambda data: cltu.decode(data),
    clcw.unpack,
    aos_frame.parse_m_pdu,
    aos_frame.parse_b_pdu,
    tc_frame.parse_segment,
    _time_code,
    _frames("tm"),
    _frames("aos"),
    _frames("uslp"),
    *(_link(name) for name in _PROFILES),
    _file,
    lambda data: parse_oem(data.decode("utf-8", "replace"), "fuzzed"),
)


def one(data: bytes) -> None:
    """Feed one input to the target that its first octet names. Anything but FrameError and ConfigError is a bug."""
    if not data:
        return
    try:
        TARGETS[data[0] % len(TARGETS)](data[1:])
    except (FrameError, ConfigError):
        return
