"""Packets through frames and back, against a model that knows which frames were lost, and against frames by hand."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.ccsds import aos_frame, space_packet, tm_frame
from flightsw.ccsds.aos_frame import AosFormat
from flightsw.ccsds.demultiplexer import ChannelCounts, Demultiplexer, DemultiplexerCounts
from flightsw.ccsds.multiplexer import Multiplexer
from flightsw.ccsds.packets import PacketExtractor, delimit
from flightsw.ccsds.space_packet import Packet
from flightsw.ccsds.tm_frame import TmFormat
from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS, ONLY_IDLE_DATA, FrameFormat
from flightsw.ccsds.uslp_frame import UslpFormat
from flightsw.errors import ConfigError, FrameError

CHANNELS = [2, 0, 5]


def packet(number: int, octets: int) -> bytes:
    """A packet of that many octets in all, different from those of other numbers."""
    return space_packet.build(Packet(number % 2047, number % 0x4000, number, bytes([number & 255]) * (octets - 16)))


@dataclass
class RawFrame:
    """What stands in a frame, read off its octets without the code under test. pointer None: no packet starts."""

    channel: int
    count: int
    pointer: int | None
    zone: bytes
    idle: bool


def read_off(kind: str, octets: bytes) -> RawFrame:
    word = int.from_bytes(octets[:8], "big")
    if kind == "TM":
        pointer = word >> 16 & 0x7FF
        channel = word >> 49 & 7
        return RawFrame(channel, octets[3], None if pointer == 0x7FF else pointer, octets[6:-2], pointer == 0x7FE)
    if kind == "AOS":
        pointer = word & 0x7FF
        channel = word >> 48 & 63
        count = word >> 24 & 0xFFFFFF
        return RawFrame(channel, count, None if pointer == 0x7FF else pointer, octets[8:-2], channel == 63)
    channel = word >> 37 & 63
    pointer = int.from_bytes(octets[12:14], "big")
    count = int.from_bytes(octets[7:11], "big")
    return RawFrame(channel, count, None if pointer == 0xFFFF else pointer, octets[14:-2], channel == 63)


def boundaries(stream: bytes) -> list[int]:
    """Where packets begin, and where the last whole one ends."""
    at = [0]
    while True:
        head = stream[at[-1] : at[-1] + 6]
        if head[:1] and head[0] >> 5 == 7:
            octets = {0xE0: 1, 0xE1: head[1] if len(head) > 1 else 0}.get(head[0], int.from_bytes(head[2:4], "big"))
        elif len(head) == 6:
            octets = 7 + int.from_bytes(head[4:6], "big")
        else:
            return at
        if octets == 0 or at[-1] + octets > len(stream):
            return at
        at.append(at[-1] + octets)


def is_idle(octets: bytes) -> bool:
    return octets[0] >> 5 == 7 or int.from_bytes(octets[:2], "big") & 0x7FF == 0x7FF


@dataclass
class Sent:
    """The frames of one virtual channel as they were sent, and which of them arrived."""

    frames: list[RawFrame] = field(default_factory=list)
    arrived: list[bool] = field(default_factory=list)

    def packets(self) -> list[tuple[bytes, bool]]:
        """Packets that are not idle, and whether all their frames arrived."""
        carriers = [(f, a) for f, a in zip(self.frames, self.arrived, strict=True) if not f.idle]
        stream = b"".join(f.zone for f, _ in carriers)
        octets = len(carriers[0][0].zone) if carriers else 1
        at = boundaries(stream)
        return [
            (stream[begin:end], all(a for _, a in carriers[begin // octets : (end - 1) // octets + 1]))
            for begin, end in pairwise(at)
            if not is_idle(stream[begin:end])
        ]

    def check_pointers(self) -> None:
        """Frames are numbered without gaps, and each pointer says where in its zone the first packet begins."""
        assert [f.count for f in self.frames] == list(range(len(self.frames)))
        carriers = [f for f in self.frames if not f.idle]
        starts = boundaries(b"".join(f.zone for f in carriers))
        begin = 0
        for f in carriers:
            inside = [start - begin for start in starts if begin <= start < begin + len(f.zone)]
            assert f.pointer == (inside[0] if inside else None)
            begin += len(f.zone)

    def lost_between(self) -> int:
        """Frames that are missing between two that arrived."""
        numbers = [i for i, arrived in enumerate(self.arrived) if arrived]
        return numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0


FORMATS: list[FrameFormat] = [
    *(TmFormat(8 + zone, 77, idle_virtual_channel=idle) for zone, idle in ((1, 7), (9, 5), (33, 7), (200, 7))),
    *(AosFormat(10 + zone, 77) for zone in (1, 9, 33, 200)),
    *(UslpFormat(16 + zone, 77) for zone in (1, 9, 33, 200)),
]

puts = st.lists(
    st.tuples(st.sampled_from(CHANNELS), st.lists(st.integers(16, 400) | st.integers(16, 40), max_size=4)), max_size=3
)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(puts, st.integers(0, 8)), min_size=1, max_size=6),
    st.floats(0, 0.5),
    st.integers(0, 2**32),
)
def test_packets_arrive_in_order_unless_a_frame_of_theirs_was_lost(frame_format, turns, loss, seed):
    rng = np.random.default_rng(seed)
    multiplexer, demultiplexer = Multiplexer(frame_format, CHANNELS), Demultiplexer(frame_format)
    put: dict[int, list[bytes]] = {channel: [] for channel in CHANNELS}
    sent: dict[int, Sent] = {}
    received: dict[int, list[bytes]] = {channel: [] for channel in CHANNELS}
    total = failed = only_idle = number = frames_left = 0
    for packets, n in [*turns, ([], None)]:
        for channel, lengths in packets:
            some = [packet(number := number + 1, octets) for octets in lengths]
            put[channel] += some
            multiplexer.put(channel, b"".join(some))
        # A loss of a whole round of TM's frame count goes unseen, so a channel is kept to less.
        n = min(multiplexer.waiting_frames + 1 if n is None else n, 200 - total)
        frames_left = multiplexer.waiting_frames
        frames = multiplexer.frames(n)
        assert frames.shape == (n, frame_format.length_octets)
        lost = rng.random(n) < loss
        damaged = ~lost & (rng.random(n) < loss / 4)
        for row, gone in zip(frames, lost | damaged, strict=True):
            raw = read_off(frame_format.kind, row.tobytes())
            sent.setdefault(raw.channel, Sent()).frames.append(raw)
            sent[raw.channel].arrived.append(not gone)
            only_idle += raw.idle and not gone
        frames[damaged, rng.integers(0, frame_format.length_octets, n)[damaged]] ^= np.uint8(1 << rng.integers(0, 8))
        failed += int(damaged.sum())
        total += n
        kept = frames[~lost]
        cut = rng.integers(0, len(kept) + 1)
        for piece in (kept[:cut], kept[cut:]):
            for channel, found in demultiplexer.push(piece).items():
                received[channel] += list(found)
    everything_sent = frames_left <= n
    for channel in CHANNELS:
        mine = sent.get(channel, Sent())
        mine.check_pointers()
        packets = mine.packets()
        assert [octets for octets, _ in packets] == put[channel][: len(packets)]
        assert len(packets) == len(put[channel]) or not everything_sent
        assert received[channel] == [octets for octets, whole in packets if whole]
        counts = demultiplexer.channel_counts(channel)
        assert counts.packets == len(received[channel])
        assert counts.frames == sum(mine.arrived)
        assert counts.lost_frames == mine.lost_between()
        assert (counts.steps_back, counts.contradictions) == (0, 0)
    counts = demultiplexer.counts
    assert counts.frames == sum(sum(s.arrived) for s in sent.values()) + failed
    assert counts.failed_checks == failed
    assert counts.only_idle == only_idle
    assert (counts.unexpected_headers, counts.other_channels) == (0, 0)


def test_a_frame_is_filled_as_by_hand():
    one, two = packet(1, 20), packet(2, 30)
    multiplexer = Multiplexer(TmFormat(6 + 40, 77, "none"), [1])
    multiplexer.put(1, one + two)
    assert (multiplexer.waiting_octets, multiplexer.waiting_octets_of(1), multiplexer.waiting_frames) == (50, 50, 2)
    first, second, third = (tm_frame.parse(row.tobytes(), "none") for row in multiplexer.frames(3))
    assert (first.virtual_channel, first.frame_count, first.pointer) == (1, 0, 0)
    assert first.zone == one + two[:20]
    assert (second.virtual_channel, second.frame_count, second.pointer) == (1, 1, 10)
    # An idle packet, APID 2047, of 30 octets: length 30 - 7.
    assert second.zone == two[20:] + bytes.fromhex("07FF C000 0017") + b"\x55" * 24
    assert (third.virtual_channel, third.frame_count, third.pointer) == (7, 0, ONLY_IDLE_DATA)
    assert third.zone.startswith(bytes.fromhex("FFFFFFFF6DB6D861451F"))
    assert [frame.master_count for frame in (first, second, third)] == [0, 1, 2]
    assert multiplexer.waiting_octets == 0


def test_an_idle_packet_that_does_not_fit_runs_over_into_the_next_frame():
    one, two = packet(1, 36), packet(2, 36)
    multiplexer = Multiplexer(AosFormat(8 + 40, 77, "none"), [1])
    multiplexer.put(1, one)
    (first,) = multiplexer.frames(1)
    # 4 octets of room for an idle packet of 7; what is left of it is nothing to send for its own sake.
    assert aos_frame.parse(first.tobytes(), "none").data == b"\0\0" + one + bytes.fromhex("07FFC000")
    assert (multiplexer.waiting_octets, multiplexer.waiting_frames) == (0, 0)
    (idle,) = multiplexer.frames(1)
    assert aos_frame.parse(idle.tobytes(), "none").virtual_channel == 63
    multiplexer.put(1, two)
    assert (multiplexer.waiting_octets, multiplexer.waiting_frames) == (36, 1)
    (second,) = multiplexer.frames(1)
    assert aos_frame.parse(second.tobytes(), "none").data == bytes.fromhex("0003 000055") + two + b"\x07"
    found = Demultiplexer(multiplexer.frame_format).push(np.stack([first, idle, second]))
    assert list(found[1]) == [one, two]


def test_uslp_zones_are_completed_by_encapsulation_idle_packets():
    multiplexer = Multiplexer(UslpFormat(14 + 40, 77, "none"), [1])
    for octets, idle in ((39, "E0"), (38, "E102"), (20, "E114" + "55" * 18)):
        multiplexer.put(1, packet(1, octets))
        assert multiplexer.frames(1)[0, 14 + octets :].tobytes() == bytes.fromhex(idle)
    long_zone = Multiplexer(UslpFormat(14 + 400, 77, "none"), [1])
    long_zone.put(1, packet(1, 100))
    assert long_zone.frames(1)[0, 114:118].tobytes() == bytes.fromhex("E200012C")


def test_an_urgent_packet_goes_before_all_others_and_does_not_wait():
    multiplexer = Multiplexer(AosFormat(8 + 40, 77, "none"), [9, 3])

    def channels(n: int) -> list[int]:
        return [aos_frame.parse(row.tobytes(), "none").virtual_channel for row in multiplexer.frames(n)]

    multiplexer.put(3, packet(1, 200))
    assert channels(2) == [3, 3]
    multiplexer.put(9, packet(2, 20) + packet(3, 50))
    assert channels(3) == [9, 9, 3]
    assert channels(3) == [3, 3, 63]


def test_a_channel_of_idle_frames_may_carry_packets_in_tm():
    channel = TmFormat(6 + 40, 77, "none", idle_virtual_channel=1)
    multiplexer, demultiplexer = Multiplexer(channel, [1]), Demultiplexer(channel)
    long = packet(1, 100)
    multiplexer.put(1, long)
    part = multiplexer.frames(1)
    rest = multiplexer.frames(3)
    idle, *others = rest[2], rest[0], rest[1]
    assert [tm_frame.parse(row.tobytes(), "none").frame_count for row in (*part, *rest)] == [0, 1, 2, 3]
    assert tm_frame.parse(idle.tobytes(), "none").pointer == ONLY_IDLE_DATA
    # Sent in this order the counts would be right: an idle frame in the middle of a packet is no part of it.
    reordered = np.stack([part[0], idle, *others])
    reordered[:, 3] = [0, 1, 2, 3]
    assert list(demultiplexer.push(reordered)[1]) == [long]
    assert demultiplexer.counts.only_idle == 1


def test_a_loss_ahead_of_an_idle_frame_is_a_loss_in_the_packets():
    channel = TmFormat(6 + 40, 77, "none", idle_virtual_channel=1)
    multiplexer = Multiplexer(channel, [1])
    multiplexer.put(1, packet(1, 80) + packet(2, 80) + packet(3, 40))
    start_of_1, end_of_1, start_of_2, end_of_2, all_of_3, idle = multiplexer.frames(6)
    for count, frame in enumerate((start_of_1, end_of_1, start_of_2, idle, end_of_2, all_of_3)):
        frame[3] = count
    # The lengths would fit: nothing but the idle frame's count tells that these are not the two halves of one packet.
    received = np.stack([start_of_1, idle, end_of_2, all_of_3])
    for cuts in ([], [1], [2], [1, 2], [1, 2, 3]):
        demultiplexer = Demultiplexer(channel)
        found = []
        for piece in np.split(received, cuts):
            found += list(demultiplexer.push(piece).get(1, []))
        assert found == [packet(3, 40)]
        counts = demultiplexer.channel_counts(1)
        assert (counts.lost_frames, counts.dropped_packets, counts.contradictions) == (2, 1, 0)


def test_no_packet_is_dropped_where_none_was_under_way():
    multiplexer = Multiplexer(TmFormat(6 + 40, 77, "none"), [1])
    multiplexer.put(1, b"".join(packet(n, 40) for n in range(4)))
    demultiplexer = Demultiplexer(multiplexer.frame_format)
    assert list(demultiplexer.push(multiplexer.frames(4)[[0, 2, 3]])[1]) == [packet(n, 40) for n in (0, 2, 3)]
    counts = demultiplexer.channel_counts(1)
    assert (counts.lost_frames, counts.dropped_packets, counts.contradictions) == (1, 0, 0)


def test_the_counts_of_a_loss_by_hand():
    multiplexer = Multiplexer(AosFormat(10 + 40, 77), [1])
    # Packet 1 in frame 0; 2 in 0 to 2; 3 in 2; an idle packet fills frame 2.
    multiplexer.put(1, packet(1, 20) + packet(2, 70) + packet(3, 20))
    frames = multiplexer.frames(4)
    demultiplexer = Demultiplexer(multiplexer.frame_format, [1])
    frames[3, 0] ^= 1
    found = demultiplexer.push(frames[[0, 2, 3]])
    assert list(found[1]) == [packet(1, 20), packet(3, 20)]
    assert demultiplexer.counts == DemultiplexerCounts(frames=3, failed_checks=1)
    assert demultiplexer.channel_counts(1) == ChannelCounts(
        frames=2, lost_frames=1, steps_back=0, packets=2, idle_packets=1, dropped_packets=1, contradictions=0
    )


def test_a_loss_of_a_whole_round_of_the_count_shows_by_the_pointer():
    multiplexer = Multiplexer(TmFormat(6 + 40, 77, "none"), [1])
    multiplexer.put(1, packet(1, 100) + b"".join(packet(n, 41) for n in range(2, 400)))
    frames = multiplexer.frames(multiplexer.waiting_frames)
    demultiplexer = Demultiplexer(multiplexer.frame_format)
    found = list(demultiplexer.push(np.concatenate([frames[:1], frames[257:]]))[1])
    counts = demultiplexer.channel_counts(1)
    assert counts.lost_frames == 0
    assert (counts.dropped_packets, counts.contradictions) == (1, 1)
    sent = list(delimit(b"".join(packet(n, 41) for n in range(2, 400))))
    assert found == sent[-len(found) :]
    assert len(found) > 100


def test_a_frame_count_that_steps_back_is_no_loss_of_nearly_a_round():
    multiplexer = Multiplexer(AosFormat(10 + 40, 77), [1])
    multiplexer.put(1, b"".join(packet(n, 20) for n in range(6)))
    frames = multiplexer.frames(3)
    demultiplexer = Demultiplexer(multiplexer.frame_format)
    found = list(demultiplexer.push(frames[[0, 1, 1, 2]])[1])
    assert found == [packet(n, 20) for n in (0, 1, 2, 3, 2, 3, 4, 5)]
    counts = demultiplexer.channel_counts(1)
    assert (counts.lost_frames, counts.steps_back) == (0, 1)


def test_frame_counts_run_over():
    channel = TmFormat(6 + 20, 77, "none")
    multiplexer, demultiplexer = Multiplexer(channel, [1]), Demultiplexer(channel)
    some = [packet(n, 20) for n in range(600)]
    multiplexer.put(1, b"".join(some))
    frames = np.concatenate([multiplexer.frames(200), multiplexer.frames(400)])
    assert frames[:, 3].tolist() == frames[:, 2].tolist() == [n % 256 for n in range(600)]
    assert list(demultiplexer.push(frames)[1]) == some
    assert demultiplexer.channel_counts(1).lost_frames == 0


def test_frames_without_a_count_are_put_together_by_their_pointers():
    channel = UslpFormat(10 + 40, 77, "none", count_octets=0)
    multiplexer, demultiplexer = Multiplexer(channel, [1]), Demultiplexer(channel)
    some = [packet(n, 30 + n) for n in range(50)]
    multiplexer.put(1, b"".join(some))
    frames = multiplexer.frames(multiplexer.waiting_frames)
    found = list(demultiplexer.push(np.delete(frames, 20, axis=0))[1])
    lost = {n for n in range(50) if any(sum(30 + i for i in range(n)) + o in range(800, 840) for o in range(30 + n))}
    assert found == [some[n] for n in range(50) if n not in lost]
    assert demultiplexer.channel_counts(1).contradictions == 1


def test_channels_that_are_not_wanted_are_counted():
    multiplexer = Multiplexer(AosFormat(10 + 40, 77), [1, 2])
    multiplexer.put(1, packet(1, 20))
    multiplexer.put(2, packet(2, 20))
    demultiplexer = Demultiplexer(multiplexer.frame_format, [2])
    assert {channel: list(p) for channel, p in demultiplexer.push(multiplexer.frames(3)).items()} == {
        2: [packet(2, 20)]
    }
    assert demultiplexer.counts == DemultiplexerCounts(frames=3, other_channels=1, only_idle=1)
    stranger = Demultiplexer(AosFormat(10 + 40, 78))
    assert stranger.push(multiplexer.frames(3)) == {}
    assert stranger.counts == DemultiplexerCounts(frames=3, unexpected_headers=3)


def test_headers_are_corrected_on_the_way():
    channel = AosFormat(12 + 40, 77, header_error_control=True)
    multiplexer, demultiplexer = Multiplexer(channel, [1]), Demultiplexer(channel)
    multiplexer.put(1, packet(1, 100))
    frames = multiplexer.frames(3)
    frames[:, 1] ^= 0xFF
    assert list(demultiplexer.push(frames)[1]) == [packet(1, 100)]
    assert demultiplexer.counts.corrected_headers == 3


@given(st.binary(max_size=400), st.sampled_from([1, 7, 20]), st.data())
def test_noise_is_counted(noise, zone_octets, data):
    zones = np.frombuffer(noise[: len(noise) // zone_octets * zone_octets], np.uint8).reshape(-1, zone_octets)
    n = len(zones)
    pointers = data.draw(st.lists(st.integers(NO_PACKET_STARTS, zone_octets - 1), min_size=n, max_size=n))
    after_loss = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    extractor = PacketExtractor()
    found = []
    for i in range(n):
        found += list(extractor.push(zones[i : i + 1], np.array(pointers[i : i + 1]), np.array(after_loss[i : i + 1])))
    at_once = PacketExtractor()
    assert list(at_once.push(zones, np.array(pointers, np.int64), np.array(after_loss, np.bool_))) == found
    assert at_once.counts == extractor.counts
    assert extractor.counts.packets == len(found)
    stream = zones.tobytes()
    assert all(octets in stream for octets in found)


@given(st.lists(st.binary(min_size=30, max_size=30), max_size=20), st.sampled_from(["tm", "aos", "uslp"]))
def test_frames_of_noise_are_counted(rows, kind):
    channel = {"tm": TmFormat, "aos": AosFormat, "uslp": UslpFormat}[kind](30, 0, "none")
    frames = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 30)
    # Now and then a header is right.
    frames = np.where(np.arange(30) < 2, channel.build(np.zeros((1, channel.zone_octets), np.uint8), 1, 2, 3), frames)
    demultiplexer = Demultiplexer(channel)
    demultiplexer.push(frames)
    assert demultiplexer.counts.frames == len(rows)


def test_what_cannot_be_is_refused():
    channel = AosFormat(10 + 40, 77)
    for channels in ([], [1, 1], [63], [-1]):
        with pytest.raises(ConfigError, match="virtual channels for packets: expected different ones of 0 to 62"):
            Multiplexer(channel, channels)
    with pytest.raises(ConfigError, match=r"expected 0 to 63, found \[64\]"):
        Demultiplexer(channel, [64])
    multiplexer = Multiplexer(channel)
    for attempt in (
        lambda: multiplexer.put(63, b""),
        lambda: multiplexer.waiting_octets_of(63),
        lambda: Demultiplexer(channel, [1]).channel_counts(2),
    ):
        with pytest.raises(ConfigError, match="virtual channel: expected one of"):
            attempt()
    with pytest.raises(FrameError, match="expected a whole packet"):
        multiplexer.put(1, packet(1, 20)[:-1])
    assert multiplexer.waiting_octets == 0
    with pytest.raises(FrameError, match="AOS frames"):
        Demultiplexer(channel).push(np.zeros((1, 3), np.uint8))


def test_a_missing_control_field_loses_no_packet():
    channel = TmFormat(6 + 40 + 4, 77, "none", ocf=True)
    multiplexer = Multiplexer(channel, [1])
    multiplexer.put(1, packet(1, 30))
    with pytest.raises(FrameError, match="operational control field"):
        multiplexer.frames(1)
    frames = multiplexer.frames(2, np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8))
    assert frames[:, -4:].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert list(Demultiplexer(channel).push(frames)[1]) == [packet(1, 30)]
