"""Do the benches see? A deliberate fault in each module must fail that module's bench.

A fault is a text of the source and what stands in its place: a wrong constant, a stall that is dropped, a flag that is
never cleared. A bench that passes with the fault in is no bench.
"""

import logging
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from hdl.tb.simulation import simulate
from hdl.toolchain import RTL


class Fault(NamedTuple):
    """A fault in `module`, and the bench, with its parameters, that has to find it."""

    module: str
    text: str
    instead: str
    bench: str
    parameters: dict[str, int]


_RS = {"DATA_WIDTH": 16, "E": 8, "INTERLEAVE": 3, "FILL": 609}
_CRC = {"DATA_WIDTH": 64, "FRAME_OCTETS": 9}
_MARKER = {"DATA_WIDTH": 64}
_UART = {"CLOCK_HZ": 25_000_000, "BAUD": 3_000_000}
_BOARD = {"INTERLEAVE": 1, "BUFFER_OCTETS": 512, "UNIQUE_ID": 0x0A0B0C0D}

QUICK = [
    Fault("systematic_check", "octets ^ front", "octets", "ccsds_crc16", _CRC),
    Fault("axis_register", "leaves || (s_axis_tready && !s_axis_tvalid)", "1'b1", "axis_register", {"DATA_WIDTH": 8}),
]
REST = [
    Fault("axis_append", "{c_wrong}}", "{1'b0}}", "ccsds_crc16", _CRC),
    Fault("axis_append", "filling  <= s_axis_tlast && !last_data", "filling  <= 1'b0", "ccsds_crc16", _CRC),
    Fault("axis_append", "dropping <= last_data && !s_axis_tlast", "dropping <= 1'b0", "ccsds_crc16", _CRC),
    Fault("axis_append", "(advance && in_data && !filling);", "(in_data && !filling);", "ccsds_crc16", _CRC),
    Fault("axis_append", "a_first ? {SPARE * 8{1'b0}} : behind", "behind", "ccsds_crc16", _CRC),
    Fault("ccsds_crc16", "CRC16_STARTS[SPARE*16+:16]", "CRC16_STARTS[0+:16]", "ccsds_crc16", _CRC),
    Fault("ccsds_rs_encoder", "(DUAL_BASIS != 0 ? 0 : 1024 * E)", "0", "ccsds_rs_encoder", _RS | {"DUAL_BASIS": 0}),
    Fault("systematic_check", "|| shift) register", ") register", "ccsds_rs_encoder", _RS),
    Fault("systematic_check", "first ? START : next", "next", "ccsds_rs_encoder", _RS),
    Fault("axis_fifo", "(offer || !read_valid)", "1'b1", "axis_fifo", {"DATA_WIDTH": 64, "DEPTH": 4}),
    Fault("ccsds_sync_marker", "mark && keep[REST]", "mark && keep[REST-1]", "ccsds_sync_marker", _MARKER),
    Fault("ccsds_sync_marker", "if (rst) in_frame <= 1'b0;", "", "ccsds_sync_marker", _MARKER),
    Fault("ccsds_convolutional_encoder", "at == 3'd5 ? 4'd5", "at == 3'd5 ? 4'd6", "ccsds_convolutional_encoder", {}),
    Fault("ccsds_convolutional_encoder", "rst || restart", "rst", "ccsds_convolutional_encoder", {}),
    Fault("ccsds_registers", "8'b000_1_10_1_1", "8'b000_1_01_1_1", "ccsds_registers", {}),
    Fault("ccsds_registers", "if (length_error) wrong_length <= 1'b1;", "", "ccsds_registers", {}),
    Fault("uart_rx", "at == START && level", "1'b0", "uart_rx", _UART),
    Fault("uart_tx", "idle ? {PHASE_BITS{1'b0}}", "idle || sum[PHASE_BITS] ? {PHASE_BITS{1'b0}}", "uart_tx", _UART),
    Fault("cobs_decoder", "zero_due <= s_octet != 8'hFF", "zero_due <= 1'b1", "cobs_decoder", {}),
    Fault("cobs_encoder", "state == OCTETS && !used[SLOT_BITS]", "state == OCTETS", "cobs_encoder", {"PACKETS": 4}),
    Fault("frame_buffer", "if (drop) written <= accepted;", "", "frame_buffer", {"OCTETS": 64}),
    Fault("packet_parser", "&& crc == 16'd0", "", "packet_parser", {}),
    Fault("packet_writer", "if (at[3]) time_left", "if (at[2]) time_left", "packet_writer", {}),
    Fault("crc16_octet", "16'h1021", "16'h1023", "packet_writer", {}),
    Fault("request_handler", "pwrite ? READ_ONLY : NO_SUCH_REGISTER", "NO_SUCH_REGISTER", "board_core", _BOARD),
    Fault("sample_packer", "first <= last;", "first <= 1'b0;", "board_core", _BOARD),
    Fault("board_clock", "us == 10'd999 ? 10'd0", "us == 10'd998 ? 10'd0", "board_core", _BOARD),
]


def _name(fault: Fault) -> str:
    return f"{fault.module}-{fault.text[:24]}"


def _assert_found(fault: Fault, folder: Path) -> None:
    rtl = folder / "rtl"
    shutil.copytree(RTL, rtl)
    source = rtl / f"{fault.module}.v"
    text = source.read_text()
    assert fault.text in text, f"{fault.module}: expected the text {fault.text!r} to put a fault in, found none"
    source.write_text(text.replace(fault.text, fault.instead, 1))
    # a bench that fails is what is wanted here, and its log is of no use to anybody
    logging.disable()
    try:
        with pytest.raises(AssertionError, match="tests failed"):
            simulate(fault.bench, f"hdl.tb.test_{fault.bench}", fault.parameters, rtl=rtl)
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("fault", QUICK, ids=_name)
def test_bench_finds_the_fault(fault: Fault, tmp_path: Path) -> None:
    _assert_found(fault, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("fault", REST, ids=_name)
def test_benches_find_the_faults(fault: Fault, tmp_path: Path) -> None:
    _assert_found(fault, tmp_path)
