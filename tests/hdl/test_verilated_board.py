"""The board's RTL at its pins: requests go in as bits of the UART, answers and codeblocks come out as such."""

import struct

import numpy as np
import pytest
from cobs import cobs

from flightsw.ccsds import space_packet
from flightsw.ccsds.coding import Randomizer, ReedSolomon, cadu, crc16_rows
from flightsw.ccsds.space_packet import Packet
from hdl.verilated_board import BoardModel

APID = 0x106
HELLO, DATA, SAMPLES, FIRST_AND_LAST = 1, 4, 0xC0, 3
# 24 MHz and 3 Mbaud are 8 cycles a bit, 80 an octet
CYCLES_PER_OCTET = 80
FILL = 1000


@pytest.fixture(scope="module")
def board() -> BoardModel:
    return BoardModel({"INTERLEAVE": 5, "FILL": FILL})


def request(data: bytes, count: int) -> bytes:
    packet = space_packet.build(Packet(APID, count, 0, data, telecommand=True))
    return cobs.encode(packet) + b"\0"


def packets(octets: bytes) -> list[Packet]:
    *whole, rest = octets.split(b"\0")
    assert rest == b""
    return [space_packet.parse(cobs.decode(encoded)) for encoded in whole]


def test_hello_is_answered_at_the_baud_rate(board):
    board.reset()
    sent = request(bytes([HELLO, 1]), 7)
    board.put(sent)
    begin = board.cycles
    # one octet has begun to leave, and nothing can have come back
    assert board.run(CYCLES_PER_OCTET // 2) == b"" and board.waiting == len(sent) - 1
    assert board.run((len(sent) - 1) * CYCLES_PER_OCTET) == b"" and board.waiting == 0
    (answer,) = packets(board.run(60 * CYCLES_PER_OCTET))
    assert answer.sequence_count == 7 and answer.data[0] == 0x81
    assert board.cycles - begin == CYCLES_PER_OCTET // 2 + (len(sent) + 59) * CYCLES_PER_OCTET
    assert board.framing_errors == 0
    _, activity, error = board.lamps
    assert activity and not error


def test_a_frame_comes_back_as_a_codeblock(board):
    board.reset()
    code = ReedSolomon(16, 5, FILL)
    frame = np.random.default_rng(1).integers(0, 256, (1, code.k - 2), dtype=np.uint8)
    board.put(request(bytes([DATA, FIRST_AND_LAST]) + frame.tobytes(), 1))
    answer, *samples = packets(board.run(1000 * CYCLES_PER_OCTET))
    assert answer.data[0] == 0x80 | DATA
    # kind, sequence number and flags lead the octets of each packet
    found = b"".join(packet.data[6:] for packet in samples)
    assert all(packet.data[0] == SAMPLES for packet in samples)
    assert [struct.unpack(">I", packet.data[1:5])[0] for packet in samples] == list(range(len(samples)))
    check = crc16_rows(frame).astype(">u2").view(np.uint8).reshape(-1, 2)
    expected = cadu(Randomizer("131071").apply(code.encode(np.concatenate([frame, check], axis=1))))
    assert found == expected.tobytes()


def test_noise_on_the_line_is_no_request(board):
    board.reset()
    board.put(bytes(range(1, 50)) + b"\0")
    assert board.run(200 * CYCLES_PER_OCTET) == b""
    assert board.lamps[2]


@pytest.mark.slow
def test_a_bit_need_not_be_a_whole_number_of_cycles():
    board = BoardModel({"INTERLEAVE": 1}, clock_hz=25_000_000)
    for count in range(20):
        board.put(request(bytes([HELLO, 1]), count))
        (answer,) = packets(board.run(10_000))
        assert answer.sequence_count == count
    assert board.framing_errors == 0
