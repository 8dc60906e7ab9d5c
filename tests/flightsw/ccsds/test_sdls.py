"""Protected frames against octets laid out by hand, and against whoever may write on the line."""

import binascii
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flightsw.ccsds import tc_frame
from flightsw.ccsds.aos_frame import AosFormat
from flightsw.ccsds.coding.crc import crc16_rows
from flightsw.ccsds.demultiplexer import Demultiplexer
from flightsw.ccsds.multiplexer import Multiplexer
from flightsw.ccsds.security.association import Associations, AssociationSettings, AssociationState, Verdict
from flightsw.ccsds.security.frames import FrameSecurity
from flightsw.ccsds.security.tc import TcSecurity
from flightsw.ccsds.space_packet import Packet, build
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.ccsds.tm_frame import TmFormat
from flightsw.ccsds.uslp_frame import UslpFormat
from flightsw.errors import ConfigError, FrameError
from flightsw.secret import Secret

KEY = bytes(range(100, 132))
GCM, CMAC_SUITE = "AES-256-GCM", "AES-256-CMAC"
FORMATS = {
    "tm": TmFormat(200, 7, ocf=True),
    "aos": AosFormat(200, 7, ocf=True, header_error_control=True),
    "uslp": UslpFormat(200, 7, fecf="crc32", ocf=True),
}


class InMemory:
    """A counter that notes what it was told to keep."""

    def __init__(self, value=0):
        self.value = value
        self.kept = []

    def raise_to(self, value):
        assert value >= self.value
        self.kept.append(value)
        self.value = value


def end(direction, *, key=KEY, value=0, **changes):
    """Associations of one end, operational."""
    settings = {
        "spi": 0x1234,
        "direction": direction,
        "suite": GCM,
        "kind": "aos",
        "spacecraft_id": 7,
        "virtual_channels": (1,),
        "key_id": 1,
    } | changes
    associations = Associations([AssociationSettings(**settings)])
    for each in associations:
        each.rekey(1, each.settings.cipher(each.settings.spi, Secret(key)), InMemory(value))
        each.start()
    return associations


def pair(outer, **changes):
    """A physical channel's two ends."""
    kind = outer.kind.lower()
    return tuple(FrameSecurity(outer, end(way, kind=kind, **changes)) for way in ("send", "receive"))


def plain_frames(inner, n, channels=1, seed=1):
    zones = np.random.default_rng(seed).integers(0, 256, (n, inner.zone_octets), dtype=np.uint8)
    return inner.build(zones, channels, np.arange(n) % 256, 0, ocf=b"\1\2\3\4" if inner.ocf else None)


def with_crc(octets):
    return octets + binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "big")


def rows(*frames):
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), -1)


def gcm(number, associated, text):
    return AESGCM(KEY).encrypt(number.to_bytes(12, "big"), text, associated)


SPI_AND_NO_VECTOR = bytes.fromhex("1234") + bytes(12)


def test_a_tm_frame_is_laid_out_as_by_hand():
    outer = TmFormat(6 + 2 + 12 + 3 + 16 + 4 + 2, spacecraft_id=0x2A5, ocf=True)
    security = FrameSecurity(outer, end("send", kind="tm", spacecraft_id=0x2A5, virtual_channels=(5,)))
    # version 00, SCID 10 1010 0101, VCID 101, OCF 1, counts 00 and 09, segment length 11, pointer 0
    header = bytes.fromhex("2A5B 0009 1800")
    frame = header + b"abc" + b"OCF!"
    sealed = gcm(1, bytes.fromhex("000A 0000 0000") + SPI_AND_NO_VECTOR, b"abc")
    expected = header + bytes.fromhex("1234") + (1).to_bytes(12, "big") + sealed + b"OCF!"
    assert security.apply(rows(frame))[0].tobytes() == with_crc(expected)


def test_an_aos_frame_is_laid_out_as_by_hand():
    outer = AosFormat(6 + 2 + 12 + 2 + 3 + 16 + 2, spacecraft_id=0xA5)
    security = FrameSecurity(outer, end("send", spacecraft_id=0xA5, virtual_channels=(42,)))
    # version 01, SCID 1010 0101, VCID 10 1010, count 000009, signalling 00, M_PDU header 0000
    header = bytes.fromhex("696A 000009 00")
    sealed = gcm(1, bytes.fromhex("002A 0000 0000") + SPI_AND_NO_VECTOR, b"\0\0abc")
    expected = header + bytes.fromhex("1234") + (1).to_bytes(12, "big") + sealed
    assert security.apply(rows(header + b"\0\0abc"))[0].tobytes() == with_crc(expected)


def test_a_uslp_frame_is_laid_out_as_by_hand():
    outer = UslpFormat(7 + 1 + 2 + 12 + 3 + 3 + 16, 0x1234, fecf="none", map_id=9, count_octets=1)
    changes = {"kind": "uslp", "spacecraft_id": 0x1234, "virtual_channels": (42,), "map_ids": (9,)}
    security = FrameSecurity(outer, end("send", **changes))
    # version 1100, SCID 1234, source 0, VCID 101010, MAP 1001, not truncated; length 44 - 1 or 14 - 1; bypass, 1 octet
    begin, finish = bytes.fromhex("C123 4552"), bytes.fromhex("81 09")
    data_field = bytes.fromhex("00 0000") + b"abc"
    sealed = gcm(1, bytes.fromhex("0000 0552 0000 0000") + SPI_AND_NO_VECTOR, data_field)
    expected = begin + bytes([0, 43]) + finish + bytes.fromhex("1234") + (1).to_bytes(12, "big") + sealed
    frame = begin + bytes([0, 13]) + finish + data_field
    assert security.apply(rows(frame))[0].tobytes() == expected
    receiver = FrameSecurity(outer, end("receive", **changes))
    assert receiver.process(rows(expected)).frames[0].tobytes() == frame


@pytest.mark.parametrize("segment_headers", [True, False])
def test_a_tc_frame_is_laid_out_as_by_hand(segment_headers):
    changes = {
        "kind": "tc",
        "suite": CMAC_SUITE,
        "virtual_channels": (42,),
        "map_ids": (5,) if segment_headers else None,
    }
    segment_header = b"\xc5" if segment_headers else b""
    frame = TcFrame(7, 42, 0x5A, segment_header + b"command")
    protected = TcSecurity(end("send", value=8, **changes), segment_headers).apply(frame)
    mac = CMAC(AES(KEY))
    mac.update(bytes.fromhex("0000 A80000") + segment_header + bytes.fromhex("1234 00000008") + b"command")
    field = segment_header + bytes.fromhex("1234 00000008") + b"command" + mac.finalize()
    assert protected == TcFrame(7, 42, 0x5A, field)
    receiver = TcSecurity(end("receive", **changes), segment_headers)
    # FOP-1 numbers a frame after it was protected
    received = tc_frame.parse(tc_frame.build(protected._replace(sequence_number=0x77)))
    assert receiver.process(received) == (frame._replace(sequence_number=0x77), Verdict.ACCEPTED)


def test_cmac_leaves_a_frame_readable():
    outer = AosFormat(100, 7)
    sender, receiver = pair(outer, suite=CMAC_SUITE)
    frames = plain_frames(sender.inner, 3)
    protected = sender.apply(frames)
    assert sender.inner.length_octets == 100 - 6 - 16 - 2
    np.testing.assert_array_equal(protected[:, 12:-18], frames[:, 6:])
    mac = CMAC(AES(KEY))
    mac.update(bytes.fromhex("0001 0000 0000 1234 00000002") + frames[1, 6:].tobytes())
    assert protected[1, -18:-2].tobytes() == mac.finalize()
    np.testing.assert_array_equal(receiver.process(protected).frames, frames)


@pytest.mark.parametrize("suite", [GCM, CMAC_SUITE])
@pytest.mark.parametrize("outer", FORMATS.values(), ids=FORMATS)
def test_packets_pass_with_only_idle_frames_between(outer, suite):
    idle = outer.idle_virtual_channel
    channels = (1, 2, idle) if outer.idle_channel_carries_packets else (1, 2)
    sender, receiver = pair(outer, suite=suite, virtual_channels=channels)
    multiplexer = Multiplexer(sender.inner, (1, 2))
    demultiplexer = Demultiplexer(receiver.inner, (1, 2))
    rng = np.random.default_rng(3)
    sent, received = {1: b"", 2: b""}, {1: b"", 2: b""}
    ocf = bytes.fromhex("01020304")
    for sequence in range(40):
        channel = 1 + sequence % 2
        packet = build(Packet(5, sequence, 0, rng.bytes(int(rng.integers(1, 400)))))
        sent[channel] += packet
        multiplexer.put(channel, packet)
        protected = sender.apply(multiplexer.frames(5, ocf))
        # what is on the channel is a frame of the channel's format, idle ones and all
        read = outer.read(protected)
        if outer.kind != "USLP":
            assert (protected[:, -2 - 4 : -2].tobytes(), len(protected)) == (ocf * 5, 5)
        assert np.count_nonzero(read.virtual_channel == idle) >= 1
        result = receiver.process(protected)
        for each, packets in demultiplexer.push(result.frames).items():
            received[each] += packets.octets.tobytes()
    assert received == sent
    assert sum(demultiplexer.channel_counts(each).lost_frames for each in (1, 2)) == 0
    assert set(np.unique(list(receiver.counts.values()))) > {0}
    assert receiver.counts[Verdict.NOT_PROTECTED] == (
        0 if outer.idle_channel_carries_packets else 200 - receiver.counts[Verdict.ACCEPTED]
    )
    assert receiver.counts[Verdict.ACCEPTED] + receiver.counts[Verdict.NOT_PROTECTED] == 200


@pytest.mark.parametrize("outer", [FORMATS["aos"], FORMATS["uslp"]], ids=["aos", "uslp"])
def test_frames_of_only_idle_data_are_as_the_outer_format_builds_them(outer):
    sender, _ = pair(outer)
    protected = sender.apply(Multiplexer(sender.inner).frames(3, b"\1\2\3\4"))
    fields = outer.read(protected)
    assert fields.status.tolist() == [0, 0, 0]
    expected = outer.build(fields.zones, outer.idle_virtual_channel, [0, 1, 2], -2, ocf=b"\1\2\3\4")
    np.testing.assert_array_equal(protected, expected)


def test_an_association_keeps_the_order_of_its_channels():
    """Frames of interleaved virtual channels are numbered in the order of the frames, or the receiver would refuse."""
    sender, receiver = pair(FORMATS["aos"], virtual_channels=(1, 2, 3))
    frames = plain_frames(sender.inner, 60, np.random.default_rng(1).integers(1, 4, 60))
    protected = sender.apply(frames)
    assert [int.from_bytes(row[10:22].tobytes(), "big") for row in protected] == list(range(1, 61))
    for part in np.array_split(protected, 7):
        assert (receiver.process(part).verdicts == Verdict.ACCEPTED).all()


def test_two_associations_share_a_channel():
    settings = [
        {
            "spi": spi,
            "direction": way,
            "suite": GCM,
            "kind": "aos",
            "spacecraft_id": 7,
            "virtual_channels": vcs,
            "key_id": 1,
        }
        for spi, way, vcs in ((1, "send", (1,)), (2, "send", (2, 3)), (3, "receive", (1,)), (4, "receive", (2, 3)))
    ]
    # the other end's SPI is one's own less two: the same association under both names
    ends = []
    for part, names in ((settings[:2], (1, 2)), (settings[2:], (1, 2))):
        associations = Associations(
            [AssociationSettings(**each | {"spi": spi}) for each, spi in zip(part, names, strict=True)]
        )
        for each in associations:
            each.rekey(
                each.settings.spi,
                each.settings.cipher(each.settings.spi, Secret(bytes([each.settings.spi]) * 32)),
                InMemory(),
            )
            each.start()
        ends.append(FrameSecurity(FORMATS["aos"], associations))
    frames = plain_frames(ends[0].inner, 12, np.arange(12) % 3 + 1)
    protected = ends[0].apply(frames)
    assert protected[:, 9].tolist() == [1, 2, 2] * 4
    np.testing.assert_array_equal(ends[1].process(protected).frames, frames)


def altered(frames, at, value):
    """The same frames with one octet set, and a right frame error control field."""
    changed = frames.copy()
    changed[:, at] = value
    changed[:, -2:] = crc16_rows(changed[:, :-2]).astype(">u2").view(np.uint8).reshape(-1, 2)
    return changed


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda f: f[:, :-1], Verdict.BAD_LENGTH),
        (lambda f: np.concatenate([f, f[:, :1]], axis=1), Verdict.BAD_LENGTH),
        (lambda f: f[:, :0], Verdict.BAD_LENGTH),
        (lambda f: f ^ np.uint8(1), Verdict.BAD_CHECK),
        (lambda f: altered(f, 7, 0x35), Verdict.UNKNOWN_SPI),
        (lambda f: altered(f, 1, 0xC2), Verdict.WRONG_CHANNEL),
        (lambda f: altered(f, 0, 0x42), Verdict.WRONG_CHANNEL),
        (lambda f: altered(f, 1, 0xFF), Verdict.NOT_PROTECTED),
        (lambda f: altered(f, 19, f[:, 19] ^ 1), Verdict.BAD_MAC),
        (lambda f: altered(f, 30, f[:, 30] ^ 0x80), Verdict.BAD_MAC),
        (lambda f: altered(f, 180, f[:, 180] ^ 1), Verdict.BAD_MAC),
    ],
)
def test_each_reason_to_drop_a_frame(change, verdict):
    sender, receiver = pair(AosFormat(200, 7))
    good = sender.apply(plain_frames(sender.inner, 4))
    result = receiver.process(change(good))
    assert result.verdicts.tolist() == [verdict] * 4
    assert result.frames.shape == (0, receiver.inner.length_octets)
    assert receiver.counts[verdict] == 4
    # the good ones are as welcome afterwards
    assert (receiver.process(good).verdicts == Verdict.ACCEPTED).all()
    assert (receiver.process(good).verdicts == Verdict.REPLAYED).all()


def test_a_map_that_is_not_the_associations_is_another_channel():
    outer = UslpFormat(200, 7, map_id=9)
    sender = FrameSecurity(outer, end("send", kind="uslp", map_ids=(9,)))
    protected = sender.apply(plain_frames(sender.inner, 2))
    for map_ids, verdict in (((8,), Verdict.WRONG_CHANNEL), ((8, 9), Verdict.ACCEPTED), (None, Verdict.ACCEPTED)):
        receiver = FrameSecurity(outer, end("receive", kind="uslp", map_ids=map_ids))
        assert receiver.process(protected).verdicts.tolist() == [verdict] * 2
    with pytest.raises(ConfigError, match="uslp spacecraft 7 virtual channel 1 MAP 9: expected an operational"):
        FrameSecurity(outer, end("send", kind="uslp", map_ids=(8,))).apply(plain_frames(sender.inner, 1))


def test_an_association_that_is_stopped_or_of_the_other_way_accepts_nothing():
    outer = AosFormat(200, 7)
    sender, _ = pair(outer)
    good = sender.apply(plain_frames(sender.inner, 2))
    associations = end("receive")
    associations[0x1234].stop()
    assert FrameSecurity(outer, associations).process(good).verdicts.tolist() == [Verdict.NOT_OPERATIONAL] * 2
    associations[0x1234].expire()
    assert FrameSecurity(outer, associations).process(good).verdicts.tolist() == [Verdict.NOT_OPERATIONAL] * 2
    # a sender does not believe its own echo
    assert sender.process(good).verdicts.tolist() == [Verdict.UNKNOWN_SPI] * 2


def test_frames_may_be_lost_within_the_window_but_not_go_back():
    sender, receiver = pair(AosFormat(200, 7), window=10, ahead=0)
    frames = sender.apply(plain_frames(sender.inner, 40))
    order = [3, 2, 4, 4, 14, 25, 24, 1]
    # of number n the next may be n + 1 to n + 10
    expected = ["ACCEPTED", "REPLAYED", "ACCEPTED", "REPLAYED", "ACCEPTED", "BEYOND_WINDOW", "ACCEPTED", "REPLAYED"]
    assert [Verdict(v).name for v in receiver.process(frames[order]).verdicts] == expected


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(1, 30))
@hypothesis_settings(max_examples=40)
def test_the_window_is_that_of_a_plain_model(order, window):
    sender = end("send", kind="aos", suite=CMAC_SUITE, window=31, ahead=0)[0x1234]
    receiver = end("receive", kind="aos", suite=CMAC_SUITE, window=window, ahead=0)[0x1234]
    fields = sender.apply([b""] * 61, [bytes([n]) for n in range(61)])
    last, expected = -1, []
    for n in order:
        number = n + 1
        taken = last < number <= last + window
        expected.append(bytes([n]) if taken else Verdict.REPLAYED if number <= last else Verdict.BEYOND_WINDOW)
        last = number if taken else last
    assert receiver.process([b""] * len(order), [fields[n] for n in order]) == expected
    assert receiver.counter.kept == ([last + 1] if last >= 0 else [])


def test_a_number_is_kept_before_it_is_used():
    associations = end("send", value=100)
    association = associations[0x1234]

    class Broken(InMemory):
        def raise_to(self, value):
            raise ConfigError("disk: expected room, found none")

    for way, change in (("send", association.apply), ("receive", None)):
        broken = end(way)[0x1234]
        broken.stop()
        broken.rekey(1, broken.settings.cipher(0x1234, Secret(KEY)), Broken(5))
        broken.start()
        with pytest.raises(ConfigError, match="disk"):
            if change:
                broken.apply([b""], [b"data"])
            else:
                broken.process([b""], association.apply([b""], [b"data"]))
        assert broken.counter.value == 5


def test_a_key_is_never_used_beyond_its_numbers():
    association = end("send", suite=CMAC_SUITE, value=(1 << 32) - 2)[0x1234]
    association.apply([b"", b""], [b"a", b"b"])
    with pytest.raises(ConfigError, match="numbers left for key 1, found it used up: rekey"):
        association.apply([b""], [b"c"])


def test_nothing_is_sent_in_the_clear():
    sender, _ = pair(FORMATS["aos"])
    with pytest.raises(ConfigError, match="aos spacecraft 7 virtual channel 2: expected an operational association"):
        sender.apply(plain_frames(sender.inner, 2, [1, 2]))
    with pytest.raises(ConfigError, match="expected one for sending"):
        end("receive")[0x1234].apply([b""], [b"data"])
    with pytest.raises(ConfigError, match="tc spacecraft 7 virtual channel 1 MAP 3: expected an operational"):
        TcSecurity(end("send", kind="tc", map_ids=(2,))).apply(TcFrame(7, 1, 0, b"\xc3x"))
    associations = end("send")
    associations[0x1234].stop()
    with pytest.raises(ConfigError, match="expected an operational association to send with, found none: start one"):
        FrameSecurity(FORMATS["aos"], associations).apply(plain_frames(sender.inner, 1))


def test_what_does_not_fit_is_refused_by_name():
    outer = FORMATS["aos"]
    sender, receiver = pair(outer)
    with pytest.raises(FrameError, match=r"uint8 \(n, 168\), found uint8 \(1, 161\)"):
        sender.apply(np.zeros((1, 161), np.uint8))
    with pytest.raises(FrameError, match="found float64"):
        receiver.process(np.zeros((1, 200)))
    with pytest.raises(ConfigError, match="add as many octets, found none"):
        FrameSecurity(replace(outer, spacecraft_id=8), end("send"))
    with pytest.raises(ConfigError, match="each SPI once"):
        Associations([next(iter(end("send"))).settings] * 2)
    with pytest.raises(ConfigError, match=r"expected one of \[4660\], found 5"):
        end("send")[5]
    with pytest.raises(FrameError, match="at least 1 octet"):
        TcSecurity(end("send", kind="tc")).apply(TcFrame(7, 1, 0, b""))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"spi": 0}, "greater than or equal to 1"),
        ({"spi": 65535}, "less than or equal to 65534"),
        ({"spacecraft_id": 256}, "expected 0 to 255 in aos, found 256"),
        ({"virtual_channels": (63,)}, "different ones of 63 from 0 in aos"),
        ({"virtual_channels": (1, 1)}, "different ones"),
        ({"virtual_channels": (8,), "kind": "tm"}, "different ones of 8"),
        ({"map_ids": (0,)}, "different ones of 0 from 0 in aos"),
        ({"virtual_channels": (1, 2), "kind": "tc"}, "expected one in tc"),
        ({"window": 65536}, "more than the 65536 numbers"),
        ({"suite": "AES-256-CTR"}, "AES-256-GCM"),
        ({"mac": "none"}, "Extra inputs"),
    ],
)
def test_settings_that_the_standard_or_safety_forbids(changes, what):
    with pytest.raises(ValidationError, match=what):
        end("send", **changes)


def test_states_follow_one_another():
    associations = Associations([next(iter(end("send"))).settings])
    association = associations[0x1234]
    for action in (association.start, association.stop, association.expire):
        with pytest.raises(ConfigError, match="found unkeyed"):
            action()
    association.rekey(1, association.settings.cipher(0x1234, Secret(KEY)), InMemory())
    association.start()
    assert association.state is AssociationState.OPERATIONAL
    with pytest.raises(ConfigError, match="to be rekeyed: expected it unkeyed or keyed, found operational"):
        association.rekey(1, association.settings.cipher(0x1234, Secret(KEY)), InMemory())


def test_a_header_is_corrected_before_it_is_believed():
    outer = AosFormat(200, 7, fecf="none", header_error_control=True)
    sender, receiver = pair(outer)
    frames = plain_frames(sender.inner, 3)
    protected = sender.apply(frames)
    # two symbols of the virtual channel's octet
    protected[:, 1] ^= 0x33
    np.testing.assert_array_equal(receiver.process(protected).frames, frames)


def test_control_commands_have_no_security_and_bring_no_data():
    sender, receiver = (TcSecurity(end(way, kind="tc", suite=CMAC_SUITE)) for way in ("send", "receive"))
    unlock = TcFrame(7, 1, 0, tc_frame.UNLOCK, True, True)
    assert sender.apply(unlock) == unlock
    assert receiver.process(unlock) == (None, Verdict.NOT_PROTECTED)


def test_each_reason_to_drop_a_tc_frame():
    changes = {"kind": "tc", "suite": CMAC_SUITE, "map_ids": (2,)}
    sender, receiver = (TcSecurity(end(way, **changes)) for way in ("send", "receive"))
    good = sender.apply(TcFrame(7, 1, 0, b"\xc2command"))
    field = good.data
    cases = [
        (good._replace(data=field[:2]), Verdict.BAD_LENGTH),
        (good._replace(data=field[:22]), Verdict.BAD_LENGTH),
        (good._replace(data=field[:1] + b"\x12\x35" + field[3:]), Verdict.UNKNOWN_SPI),
        (good._replace(spacecraft_id=8), Verdict.UNKNOWN_SPI),
        (good._replace(virtual_channel=2), Verdict.WRONG_CHANNEL),
        (good._replace(data=b"\xc3" + field[1:]), Verdict.WRONG_CHANNEL),
        # the segment header is authenticated: unsegmented becomes first segment
        (good._replace(data=b"\x42" + field[1:]), Verdict.BAD_MAC),
        (good._replace(data=field[:-1]), Verdict.BAD_MAC),
        (TcFrame(7, 1, 0, b"\xc2command"), Verdict.UNKNOWN_SPI),
    ]
    for frame, verdict in cases:
        assert receiver.process(frame) == (None, verdict)
    assert receiver.process(good)[1] is Verdict.ACCEPTED
    assert receiver.process(good) == (None, Verdict.REPLAYED)
    # a sender does not believe its own echo
    assert sender.process(good) == (None, Verdict.UNKNOWN_SPI)
    assert sum(receiver.counts.values()) == len(cases) + 2


@given(st.binary(max_size=80), st.booleans(), st.booleans())
def test_no_tc_frame_raises_an_error(data, segment_headers, known):
    receiver = TcSecurity(end("receive", kind="tc", suite=CMAC_SUITE), segment_headers)
    data = (data[:1] + b"\x12\x34" + data[1:] if known else data) or b"\0"
    frame, verdict = receiver.process(TcFrame(7, 1, 0, data))
    assert frame is None
    assert verdict is not Verdict.ACCEPTED


@given(st.integers(0, 260), st.integers(0, 5), st.binary(max_size=64))
@hypothesis_settings(max_examples=50)
def test_no_array_of_octets_raises_an_error(length, n, pattern):
    receiver = FrameSecurity(FORMATS["uslp"], end("receive", kind="uslp"))
    frames = np.resize(np.frombuffer(pattern or b"\0", np.uint8), (n, length))
    result = receiver.process(frames)
    assert len(result.verdicts) == n
    assert not (result.verdicts == Verdict.ACCEPTED).any()


def attack(outer, total, seed, suite):
    """Frames forged, replayed, cut and flipped, `total` of each length, whole and cut; returns the verdicts met."""
    sender, receiver = pair(outer, suite=suite)
    rng = np.random.default_rng(seed)
    delivered = sender.apply(plain_frames(sender.inner, 500, seed=seed))
    assert (receiver.process(delivered).verdicts == Verdict.ACCEPTED).all()
    pending = sender.apply(plain_frames(sender.inner, 500, seed=seed + 1))
    at = 6
    end_of_mac = outer.length_octets - 2 - (4 if outer.ocf else 0)
    tried = 0
    while tried < total:
        n = min(5000, total - tried)
        rows_ = rng.integers(0, 500, n)
        sort = rng.integers(0, 5, n)
        frames = np.where((sort < 3)[:, None], pending[rows_], delivered[rows_])
        which = np.arange(n)
        # 0: random field behind a right header and SPI; 1: another frame's MAC; 2: 1 to 3 flipped bits that a MAC
        # covers; 3: delivered before; 4: delivered before, with flipped bits anywhere
        noise = rng.integers(0, 256, (n, end_of_mac - at - 2), dtype=np.uint8)
        frames[sort == 0, at + 2 : end_of_mac] = noise[sort == 0]
        frames[sort == 1, end_of_mac - 16 : end_of_mac] = pending[(rows_ + 1) % 500][
            sort == 1, end_of_mac - 16 : end_of_mac
        ]
        for _ in range(int(rng.integers(1, 4))):
            octet = np.where(sort == 2, rng.integers(at, end_of_mac, n), rng.integers(0, end_of_mac, n))
            flip = np.uint8(1) << rng.integers(0, 8, n).astype(np.uint8)
            frames[which, octet] ^= np.where((sort == 2) | (sort == 4), flip, 0).astype(np.uint8)
        # flips may undo each other
        frames = frames[(frames != pending[rows_]).any(axis=1)]
        frames[:, -2:] = crc16_rows(frames[:, :-2]).astype(">u2").view(np.uint8).reshape(-1, 2)
        assert not len(receiver.process(frames).frames)
        assert not len(receiver.process(frames[:, : int(rng.integers(0, outer.length_octets))]).frames)
        tried += len(frames)
    verdicts = {verdict for verdict, count in receiver.counts.items() if count}
    # and the pending ones were no worse for it
    assert (receiver.process(pending).verdicts == Verdict.ACCEPTED).all()
    return verdicts


@pytest.mark.parametrize("suite", [GCM, CMAC_SUITE])
@pytest.mark.parametrize("outer", [FORMATS["tm"], AosFormat(200, 7)], ids=["tm", "aos"])
def test_no_false_frame_is_accepted(outer, suite):
    verdicts = attack(outer, 5000, 1, suite)
    assert verdicts >= {
        Verdict.BAD_LENGTH,
        Verdict.BAD_MAC,
        Verdict.REPLAYED,
        Verdict.UNKNOWN_SPI,
        Verdict.WRONG_CHANNEL,
    }


@pytest.mark.slow
@pytest.mark.parametrize("suite", [GCM, CMAC_SUITE])
@pytest.mark.parametrize("outer", [FORMATS["tm"], AosFormat(200, 7)], ids=["tm", "aos"])
def test_no_false_frame_of_a_million_is_accepted(outer, suite):
    verdicts = attack(outer, 250_000, 2, suite)
    assert Verdict.BAD_MAC in verdicts


def attack_tc(total, seed, suite):
    """Octets of TC frames forged, replayed, cut and flipped, as far as they parse; returns the verdicts met."""
    sender, receiver = (TcSecurity(end(way, kind="tc", suite=suite)) for way in ("send", "receive"))
    rng = np.random.default_rng(seed)
    delivered, pending = (
        [tc_frame.build(sender.apply(TcFrame(7, 1, n, b"\xc0" + rng.bytes(20))), "none") for n in range(100)]
        for _ in range(2)
    )
    for octets in delivered:
        assert receiver.process(tc_frame.parse(octets, "none"))[1] is Verdict.ACCEPTED
    tried = 0
    while tried < total:
        octets = bytearray((pending, delivered)[tried % 2][rng.integers(100)])
        if rng.integers(3) == 0:
            octets = octets[: rng.integers(6, len(octets))]
            octets[2:4] = (1 << 10 | len(octets) - 1).to_bytes(2, "big")
        else:
            # of a frame that is yet to come, only what the MAC covers
            first = 5 if tried % 2 == 0 else 0
            for at in rng.integers(first, len(octets), rng.integers(1, 4)):
                octets[at] ^= 1 << int(rng.integers(8))
        tried += 1
        if bytes(octets) in pending:
            continue
        try:
            frame = tc_frame.parse(bytes(octets), "none")
        except FrameError:
            continue
        assert receiver.process(frame)[0] is None
    verdicts = {verdict for verdict, count in receiver.counts.items() if count}
    for octets in pending:
        assert receiver.process(tc_frame.parse(octets, "none"))[1] is Verdict.ACCEPTED
    return verdicts


@pytest.mark.parametrize("suite", [GCM, CMAC_SUITE])
def test_no_false_command_is_accepted(suite):
    assert attack_tc(2000, 1, suite) == set(Verdict) - {
        Verdict.NOT_PROTECTED,
        Verdict.BAD_CHECK,
        Verdict.NOT_OPERATIONAL,
        Verdict.BEYOND_WINDOW,
    }


@pytest.mark.slow
@pytest.mark.parametrize("suite", [GCM, CMAC_SUITE])
def test_no_false_command_of_a_hundred_thousand_is_accepted(suite):
    assert Verdict.BAD_MAC in attack_tc(100_000, 2, suite)
