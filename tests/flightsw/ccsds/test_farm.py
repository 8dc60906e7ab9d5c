"""FARM-1 against table 6-1 of CCSDS 232.1-B-2, written out a second time as what can be seen of each cell."""

import pytest

from flightsw.ccsds import clcw, tc_frame
from flightsw.ccsds.farm import Farm, FarmEvent
from flightsw.ccsds.tc_frame import UNLOCK, TcFrame, set_v_r
from flightsw.errors import ConfigError

SCID, VCID = 0x155, 9
# V(R) at the start of each cell, so near the end of the numbers that the window wraps; PW = NW = 10.
V_R = 254


def type_ad(number: int, data: bytes = b"AD") -> TcFrame:
    return TcFrame(SCID, VCID, number % 256, data)


def type_bd() -> TcFrame:
    return TcFrame(SCID, VCID, 0, b"BD", bypass=True)


def type_bc(command: bytes) -> TcFrame:
    return TcFrame(SCID, VCID, 0, command, bypass=True, control_command=True)


def in_state(state: str) -> Farm:
    """S1 with Retransmit, S2 with Retransmit and Wait, S3 with all three flags; S1' and S3' with as few as may be.

    The FARM-B counter is 3, V(R) 254.
    """
    farm = Farm(SCID, VCID, window=20)
    assert farm.receive(type_bc(set_v_r(V_R))) is None
    for _ in range(2):
        farm.receive(type_bd())
    if not state.endswith("'"):
        farm.receive(type_ad(V_R + 1))
    if state in ("S2", "S3"):
        farm.buffer_full()
        farm.receive(type_ad(V_R))
    if state in ("S3", "S3'"):
        farm.receive(type_ad(V_R + 128))
    assert seen(farm) == START[state]
    return farm


def seen(farm: Farm) -> str:
    """State, V(R), flags, FARM-B counter."""
    flags = "".join(
        letter if flag else "-" for letter, flag in zip("LWR", (farm.lockout, farm.wait, farm.retransmit), strict=True)
    )
    return f"S{farm.state.value} {farm.v_r} {flags} {farm.farm_b_counter}"


START = {"S1'": "S1 254 --- 3", "S1": "S1 254 --R 3", "S2": "S2 254 -WR 3", "S3": "S3 254 LWR 3", "S3'": "S3 254 L-- 3"}
STIMULI = {
    "E1": [type_ad(V_R)],
    "E2": [type_ad(V_R)],
    "E3": [type_ad(V_R + 1), type_ad(V_R + 9)],
    "E4": [type_ad(V_R - 1), type_ad(V_R - 10)],
    "E5": [type_ad(V_R + 10), type_ad(V_R - 11), type_ad(V_R + 128)],
    "E6": [type_bd()],
    "E7": [type_bc(UNLOCK)],
    "E8": [type_bc(set_v_r(77))],
    "E9": [
        type_bc(b"\x01"),
        type_bc(b"\x00\x00"),
        type_bc(b"\x82\x00"),
        type_bc(b"\x82\x00\x05\x00"),
        type_bc(b"\x82\x01\x05"),
        type_ad(V_R)._replace(virtual_channel=VCID + 1),
        type_ad(V_R)._replace(spacecraft_id=SCID + 1),
        type_ad(V_R)._replace(control_command=True, data=UNLOCK),
    ],
}
# Of E1 to E9: what is handed up, and what is seen then. E1 comes after a buffer is released, E2 after none is left.
CELLS = {
    #      S1'                  S1                    S2                    S3                    S3'
    "E1": ["AD S1 255 --- 3", "AD S1 255 --- 3", None, "-- S3 254 L-R 3", "-- S3 254 L-- 3"],
    "E2": ["-- S2 254 -WR 3", "-- S2 254 -WR 3", "-- S2 254 -WR 3", "-- S3 254 LWR 3", "-- S3 254 L-- 3"],
    "E3": ["-- S1 254 --R 3", "-- S1 254 --R 3", "-- S2 254 -WR 3", "-- S3 254 LWR 3", "-- S3 254 L-- 3"],
    "E4": ["-- S1 254 --- 3", "-- S1 254 --R 3", "-- S2 254 -WR 3", "-- S3 254 LWR 3", "-- S3 254 L-- 3"],
    "E5": ["-- S3 254 L-- 3", "-- S3 254 L-R 3", "-- S3 254 LWR 3", "-- S3 254 LWR 3", "-- S3 254 L-- 3"],
    "E6": ["BD S1 254 --- 0", "BD S1 254 --R 0", "BD S2 254 -WR 0", "BD S3 254 LWR 0", "BD S3 254 L-- 0"],
    "E7": ["-- S1 254 --- 0", "-- S1 254 --- 0", "-- S1 254 --- 0", "-- S1 254 --- 0", "-- S1 254 --- 0"],
    "E8": ["-- S1 77 --- 0", "-- S1 77 --- 0", "-- S1 77 --- 0", "-- S3 254 LWR 0", "-- S3 254 L-- 0"],
    "E9": ["-- S1 254 --- 3", "-- S1 254 --R 3", "-- S2 254 -WR 3", "-- S3 254 LWR 3", "-- S3 254 L-- 3"],
}
OF_FRAMES = [
    (event, state, frame, cell)
    for event, cells in CELLS.items()
    for state, cell in zip(START, cells, strict=True)
    if cell is not None
    for frame in STIMULI[event]
]


@pytest.mark.parametrize(("event", "state", "frame", "then"), OF_FRAMES)
def test_each_cell_of_the_frames_that_arrive(event, state, frame, then):
    farm = in_state(state)
    if event == "E1":
        farm.buffer_released()
    if event == "E2":
        farm.buffer_full()
    counts = farm.counts.copy()
    data = farm.receive(frame) or b"--"
    assert f"{data.decode()} {seen(farm)}" == then
    assert farm.counts - counts == {FarmEvent(int(event[1:])): 1}


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("S1'", "S1 254 --- 3"),
        ("S1", "S1 254 --R 3"),
        ("S2", "S1 254 --R 3"),
        ("S3", "S3 254 L-R 3"),
        ("S3'", "S3 254 L-- 3"),
    ],
)
def test_each_cell_of_the_release_of_a_buffer_e10(state, then):
    farm = in_state(state)
    farm.buffer_released()
    assert seen(farm) == then
    if "S3" not in state:
        assert farm.receive(type_ad(V_R)) == b"AD"


# Type 0, version 0, status 0, COP 1, VCID 9, spare 0, flags 00LWR, FARM-B counter 3, spare 0, V(R) 254.
@pytest.mark.parametrize(("state", "flags"), [("S1'", 0), ("S1", 0b001), ("S2", 0b011), ("S3", 0b111), ("S3'", 0b100)])
def test_each_cell_of_the_report_e11(state, flags):
    farm = in_state(state)
    before = seen(farm)
    word = 1 << 24 | VCID << 18 | flags << 11 | 3 << 9 | V_R
    assert clcw.pack(farm.clcw()) == word.to_bytes(4, "big")
    assert seen(farm) == before


@pytest.mark.parametrize("window", [2, 4, 20, 128, 254])
@pytest.mark.parametrize("v_r", [0, 1, 100, 255])
def test_the_window_around_v_r(window, v_r):
    areas = {"accepted": [], "retransmit": [], "nothing": [], "lockout": []}
    for number in range(256):
        farm = Farm(SCID, VCID, window)
        farm.receive(type_bc(set_v_r(v_r)))
        accepted = farm.receive(type_ad(number))
        area = "accepted" if accepted else "lockout" if farm.lockout else "retransmit" if farm.retransmit else "nothing"
        areas[area].append(number)
    half = window // 2
    assert areas["accepted"] == [v_r]
    assert areas["retransmit"] == sorted((v_r + n) % 256 for n in range(1, half))
    assert areas["nothing"] == sorted((v_r - n) % 256 for n in range(1, half + 1))
    assert len(areas["lockout"]) == 256 - window


@pytest.mark.parametrize("window", [-2, 0, 1, 21, 255, 256])
def test_a_window_that_is_odd_or_too_wide_is_refused(window):
    with pytest.raises(ConfigError, match=f"even number from 2 to 254, found {window}"):
        Farm(SCID, VCID, window)


def test_frames_as_they_come_off_the_line():
    farm = Farm(SCID, VCID)
    octets = (
        tc_frame.build(type_bc(set_v_r(255)))
        + tc_frame.build(type_ad(255, b"one"))
        + tc_frame.build(type_ad(0, b"two"))
    )
    assert [farm.receive(frame) for frame in tc_frame.split(octets)] == [None, b"one", b"two"]
    assert farm.v_r == 1
