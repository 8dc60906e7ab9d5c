"""Files by CFDP against octets put together by hand, and against cfdp-py's own handlers at the other end."""

import errno
import io
import random
from contextlib import suppress
from pathlib import Path

import pytest
from cfdppy import IndicationConfig, LocalEntityConfig, RemoteEntityConfig, RemoteEntityConfigTable
from cfdppy.defs import CfdpState
from cfdppy.exceptions import InvalidNakPdu, NoRemoteEntityConfigFound, PduIgnoredForDest, PduIgnoredForSource
from cfdppy.handler.dest import DestHandler
from cfdppy.handler.source import SourceHandler
from cfdppy.mib import CheckTimerProvider, DefaultFaultHandlerBase
from cfdppy.request import PutRequest
from cfdppy.user import CfdpUserBase
from hypothesis import given, settings
from hypothesis import strategies as st
from spacepackets import countdown
from spacepackets.ccsds.spacepacket import SpacePacketHeader
from spacepackets.cfdp import ChecksumType, ConditionCode, Direction, PduConfig, TransmissionMode
from spacepackets.cfdp.pdu import (
    AckPdu,
    DeliveryCode,
    EofPdu,
    FileDataPdu,
    FileStatus,
    FinishedPdu,
    MetadataParams,
    MetadataPdu,
    NakPdu,
    PduFactory,
    TransactionStatus,
)
from spacepackets.cfdp.pdu.file_data import FileDataParams
from spacepackets.cfdp.pdu.finished import FinishedParams
from spacepackets.countdown import Countdown
from spacepackets.seqcount import SeqCountProvider
from spacepackets.util import ByteFieldU16, ByteFieldU32

from flightsw.errors import ConfigError
from flightsw.services.cfdp.copy import modular_checksum
from flightsw.services.cfdp.entity import CFDP_APID, LARGEST_FILE_OCTETS, Entity
from flightsw.services.cfdp.filestore import FolderFilestore, MemoryFilestore
from flightsw.services.cfdp.handlers import Timing

OURS, THEIRS = 1, 2
TIMING = Timing(answer_s=0.2, limit=30, inactivity_s=20.0)
STEP_S, LIGHT_TIME_S = 0.01, 0.03
FILE = random.Random(1).randbytes(40_321)

# Version 1, directive, towards the receiver, unacknowledged; 25 octets follow; identifiers of 2, number of 4 octets.
METADATA = bytes.fromhex("24 0010 13 0001 00000007 0002") + bytes.fromhex("07 03 00000009") + b"\x04here\x04file"
FILE_DATA = bytes.fromhex("34 000D 13 0001 00000007 0002 00000000") + b"123456789"
# CBF43926 is the CRC-32 of 123456789 that everybody prints
EOF = bytes.fromhex("24 000A 13 0001 00000007 0002 04 00 CBF43926 00000009")


def pair(here=None, there=None, timing=TIMING, next_transaction=0):
    here, there = here or MemoryFilestore(), there or MemoryFilestore()
    return Entity(OURS, THEIRS, here, timing, next_transaction), Entity(THEIRS, OURS, there, timing)


def converse(one, other, passes=lambda pdu: [0], until_s=60.0, room=20_000):
    """Have two ends talk until they have nothing more to say; `passes` gives the delays, in steps, of what arrives."""
    line, step = [], 0
    while (line or one.busy or other.busy) and step * STEP_S < until_s:
        step += 1
        for near, far in ((one, other), (other, one)):
            near.tick(step * STEP_S)
            line += [(step + 3 + late, far, pdu) for pdu in near.pdus(room) for late in passes(pdu)]
        for entry in [entry for entry in line if entry[0] <= step]:
            line.remove(entry)
            entry[1].receive(entry[2])
    return step * STEP_S


def lossy(seed, share=0.2):
    draw = random.Random(seed)
    return lambda pdu: [] if draw.random() < share else [0]


def outcome(entity):
    assert len(entity.finished) == 1
    return entity.finished[0].condition, entity.finished[0].complete


DONE = (ConditionCode.NO_ERROR, True)


class FarUser(CfdpUserBase):
    def __init__(self):
        super().__init__()
        self.finished = None

    def transaction_finished_indication(self, params):
        self.finished = params.finished_params

    def _(self, *_):
        pass

    transaction_indication = eof_sent_indication = metadata_recv_indication = file_segment_recv_indication = _
    report_indication = suspended_indication = resumed_indication = fault_indication = abandoned_indication = _
    eof_recv_indication = _


class FarFaults(DefaultFaultHandlerBase):
    def __init__(self):
        super().__init__()
        self.seen = []

    def notice_of_cancellation_cb(self, transaction_id, cond, progress):
        self.seen.append(cond)

    notice_of_suspension_cb = abandoned_cb = ignore_cb = notice_of_cancellation_cb


class FarTimers(CheckTimerProvider):
    def provide_check_timer(self, local_entity_id, remote_entity_id, entity_type):
        return Countdown.from_seconds(0.2)


class Far:
    """cfdp-py's handlers, driven as its documentation shows, by a clock of ours."""

    def __init__(self, folder, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr(countdown, "time_ms", lambda: round(self.now_s * 1e3))
        self.user, self.faults, self.folder = FarUser(), FarFaults(), folder
        local = LocalEntityConfig(ByteFieldU16(THEIRS), IndicationConfig(), self.faults)
        remote = RemoteEntityConfig(
            entity_id=ByteFieldU16(OURS),
            max_file_segment_len=700,
            max_packet_len=900,
            closure_requested=False,
            crc_on_transmission=True,
            default_transmission_mode=TransmissionMode.ACKNOWLEDGED,
            crc_type=ChecksumType.MODULAR,
            positive_ack_timer_interval_seconds=0.2,
            positive_ack_timer_expiration_limit=30,
            nak_timer_interval_seconds=0.2,
            nak_timer_expiration_limit=30,
            check_limit=3,
        )
        table = RemoteEntityConfigTable([remote])
        self.source = SourceHandler(local, self.user, table, FarTimers(), SeqCountProvider(16))
        self.destination = DestHandler(local, self.user, table, FarTimers())
        # all transactions of a process share one
        self.destination._params.acked_params.lost_seg_tracker.reset()
        self._out = []

    @property
    def busy(self):
        return self.source.state != CfdpState.IDLE or self.destination.state != CfdpState.IDLE or bool(self._out)

    def put(self, data, name, mode):
        (self.folder / "source").write_bytes(data)
        self.source.put_request(PutRequest(ByteFieldU16(OURS), self.folder / "source", Path(name), mode, None))

    def tick(self, now_s):
        self.now_s = now_s

    def receive(self, pdu):
        packet = PduFactory.from_raw(pdu)
        towards_sender = packet.direction == Direction.TOWARDS_SENDER
        self._run(self.source if towards_sender else self.destination, packet)

    def pdus(self, room):
        for handler in (self.source, self.destination):
            for _ in range(room // 2000):
                self._run(handler, None)
        out, self._out = self._out, []
        return out

    def cancel(self):
        assert self.source.cancel_request(self.source.transaction_id)
        self._collect(self.source)

    def _run(self, handler, packet):
        # the last is what a source says to a PDU for a transaction that is over
        with suppress(PduIgnoredForDest, PduIgnoredForSource, InvalidNakPdu, NoRemoteEntityConfigFound):
            handler.state_machine(packet)
        self._collect(handler)

    def _collect(self, handler):
        while (holder := handler.get_next_packet()) is not None:
            self._out.append(bytes(holder.pdu.pack()))


def test_the_pdus_of_a_file_are_those_put_together_by_hand():
    here = MemoryFilestore()
    here.files["here"] = b"123456789"
    entity, _ = pair(here, next_transaction=7)
    assert entity.put(Path("here"), "file", 1) == 7
    assert entity.pdus(1000) == [METADATA, FILE_DATA, EOF]
    assert entity.pdus(1000) == [] and not entity.busy and outcome(entity) == DONE


def test_pdus_put_together_by_hand_are_a_file():
    there = MemoryFilestore()
    _, entity = pair(there=there)
    for pdu in (METADATA, FILE_DATA, EOF):
        entity.receive(pdu)
    assert there.files == {"file": b"123456789"} and outcome(entity) == DONE and entity.pdus(1000) == []


def test_the_modular_checksum_adds_words_of_32_bits():
    assert modular_checksum(bytes.fromhex("00000001 FFFFFFFF 80")) == 0x80000000
    assert modular_checksum(bytes.fromhex("02"), 0xFF000000) == 0x01000000


@pytest.mark.parametrize("seed", range(5))
def test_a_file_reaches_handlers_of_cfdp_py_through_loss(tmp_path, monkeypatch, seed):
    entity, far = pair()[0], Far(tmp_path, monkeypatch)
    target = tmp_path / "received"
    entity.put(FILE, str(target))
    converse(entity, far, lossy(seed), room=6000)
    assert target.read_bytes() == FILE
    assert far.user.finished.condition_code == ConditionCode.NO_ERROR and far.faults.seen == []
    assert outcome(entity) == DONE and entity.counts.segments_resent > 0


@pytest.mark.parametrize("seed", range(5))
def test_a_file_of_cfdp_py_arrives_through_loss(tmp_path, monkeypatch, seed):
    there = MemoryFilestore()
    entity, far = Entity(OURS, THEIRS, there, TIMING), Far(tmp_path, monkeypatch)
    far.put(FILE, "received", TransmissionMode.ACKNOWLEDGED)
    converse(entity, far, lossy(seed), room=6000)
    assert there.files == {"received": FILE} and outcome(entity) == DONE
    assert far.user.finished.condition_code == ConditionCode.NO_ERROR and far.faults.seen == []


@pytest.mark.parametrize("steps", [20, 100])
def test_what_the_sender_cancels_is_not_kept(tmp_path, monkeypatch, steps):
    folder = tmp_path / "folder"
    folder.mkdir()
    entity, far = Entity(OURS, THEIRS, FolderFilestore(folder), TIMING), Far(tmp_path, monkeypatch)
    far.put(FILE, "received", TransmissionMode.ACKNOWLEDGED)
    said = far.pdus(2000 * steps)
    assert isinstance(PduFactory.from_raw(said[-1]), EofPdu) == (steps == 100)
    for pdu in said[:5] + said[6:]:
        entity.receive(pdu)
    assert [path.name for path in folder.iterdir()] == ["received.part"]
    far.cancel()
    converse(entity, far)
    assert outcome(entity) == (ConditionCode.CANCEL_REQUEST_RECEIVED, False) and list(folder.iterdir()) == []
    assert far.user.finished.condition_code == ConditionCode.CANCEL_REQUEST_RECEIVED


def test_an_eof_whose_acknowledgement_is_lost_is_acknowledged_again(tmp_path, monkeypatch):
    entity, far = Entity(OURS, THEIRS, MemoryFilestore(), TIMING), Far(tmp_path, monkeypatch)
    far.put(FILE, "received", TransmissionMode.ACKNOWLEDGED)
    lost = []

    def passes(pdu):
        if not lost and isinstance(PduFactory.from_raw(pdu), AckPdu):
            lost.append(pdu)
            return []
        return [0]

    converse(entity, far, passes)
    assert lost and far.user.finished.condition_code == ConditionCode.NO_ERROR and far.faults.seen == []


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_class_1_arrives_or_the_receiver_knows_that_it_did_not(tmp_path, monkeypatch, share):
    first = lossy(3, share)
    keep_ends = lambda pdu: first(pdu) if isinstance(PduFactory.from_raw(pdu), FileDataPdu) else [0]  # noqa: E731
    entity, far = pair()[0], Far(tmp_path, monkeypatch)
    entity.put(FILE, str(tmp_path / "received"), 1)
    converse(entity, far, keep_ends)
    there = MemoryFilestore()
    receiver, sender = Entity(OURS, THEIRS, there, TIMING), Far(tmp_path, monkeypatch)
    sender.put(FILE, "received", TransmissionMode.UNACKNOWLEDGED)
    converse(receiver, sender, keep_ends)
    assert outcome(entity) == DONE, "the sender of class 1 hears nothing"
    if share:
        assert ConditionCode.CHECK_LIMIT_REACHED in far.faults.seen
        assert outcome(receiver) == (ConditionCode.CHECK_LIMIT_REACHED, False) and there.files == {}
    else:
        assert (tmp_path / "received").read_bytes() == FILE and far.faults.seen == []
        assert outcome(receiver) == DONE and there.files == {"received": FILE}


@settings(max_examples=40, deadline=None)
@given(size=st.integers(0, 12_000), seed=st.integers(0, 2**32), loss=st.floats(0, 0.4), doubled=st.floats(0, 0.5))
def test_class_2_survives_loss_doubles_and_any_order(size, seed, loss, doubled):
    draw = random.Random(seed)

    def passes(pdu):
        if draw.random() < loss:
            return []
        return [draw.randrange(20) for _ in range(1 + (draw.random() < doubled))]

    there = MemoryFilestore()
    one, other = pair(there=there)
    one.put(FILE[:size], "a")
    one.put(FILE[size:], "b")
    converse(one, other, passes, room=3000)
    assert there.files == {"a": FILE[:size], "b": FILE[size:]}
    for entity in (one, other):
        assert [(t.name, t.condition, t.complete) for t in entity.finished] == [("a", *DONE), ("b", *DONE)]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("kind", [MetadataPdu, FileDataPdu, EofPdu, AckPdu, NakPdu, FinishedPdu])
def test_whatever_is_lost_is_sent_again(kind, times):
    left = {kind: times, FileDataPdu: max(times if kind is FileDataPdu else 0, 1)}  # without loss there is no NAK

    def passes(pdu):
        found = type(PduFactory.from_raw(pdu))
        left[found] = left.get(found, 0) - 1
        return [] if left[found] >= 0 else [0]

    there = MemoryFilestore()
    one, other = pair(there=there)
    one.put(FILE, "file")
    took_s = converse(one, other, passes)
    assert there.files == {"file": FILE} and outcome(one) == outcome(other) == DONE
    assert left[kind] < 0, "and sent again it was"
    assert took_s < 2.0 + 0.2 * times


def test_segments_are_sent_again_once_each():
    left = [5]

    def passes(pdu):
        lost = isinstance(PduFactory.from_raw(pdu), FileDataPdu) and left[0] > 0
        left[0] -= lost
        return [] if lost else [0]

    one, other = pair()
    one.put(FILE, "file")
    converse(one, other, passes, room=3000)
    assert one.counts.segments_sent == 41 + 5 and one.counts.segments_resent == 5


def test_files_that_arrive_at_the_same_time_have_gaps_of_their_own():
    there = MemoryFilestore()
    senders = [pair(next_transaction=number)[0] for number in range(2)]
    receiver = Entity(THEIRS, OURS, there, TIMING)
    for sender, name in zip(senders, "ab", strict=True):
        sender.put(FILE, name)
        for count, pdu in enumerate(sender.pdus(100_000)):
            if count not in (3, 7):
                receiver.receive(pdu)
    naks = [nak for pdu in receiver.pdus(10_000) if isinstance(nak := PduFactory.from_raw(pdu), NakPdu)]
    assert {nak.transaction_seq_num.value for nak in naks} == {0, 1}
    assert {gap for nak in naks for gap in nak.segment_requests} == {(2000, 3000), (6000, 7000)}
    for number, sender in enumerate(senders):
        for nak in naks:
            if nak.transaction_seq_num.value == number:
                sender.receive(bytes(nak.pack()))
        for pdu in sender.pdus(10_000):
            receiver.receive(pdu)
    assert there.files == {"a": FILE, "b": FILE}


def test_a_first_pdu_that_is_lost_more_often_than_an_answer_may_be_is_waited_for():
    left = [8]

    def passes(pdu):
        lost = isinstance(PduFactory.from_raw(pdu), MetadataPdu) and left[0] > 0
        left[0] -= lost
        return [] if lost else [0]

    there = MemoryFilestore()
    one, other = pair(there=there, timing=Timing(0.2, 3, 20.0))
    one.put(FILE, "file")
    converse(one, other, passes)
    assert left == [0] and there.files == {"file": FILE} and outcome(one) == DONE


def test_the_first_pdu_is_asked_for_once_until_an_answer_is_due():
    one, other = pair()
    one.put(FILE, "file")
    _, *data = one.pdus(100_000)
    for pdu in data:
        other.receive(pdu)
    (nak,) = other.pdus(10_000)
    assert PduFactory.from_raw(nak).segment_requests == [(0, 0)]
    other.tick(0.3)
    other.receive(data[0])
    assert other.pdus(10_000) == [nak]


def test_an_eof_of_a_file_that_is_done_with_is_acknowledged_and_nothing_more():
    one, other = pair()
    one.put(b"123456789", "file")
    eof = one.pdus(1000)[-1]
    one, other = pair()
    one.put(b"123456789", "file")
    converse(one, other)
    other.receive(eof)
    (ack,) = map(PduFactory.from_raw, other.pdus(1000))
    assert ack.transaction_status == TransactionStatus.TERMINATED and ack.direction == Direction.TOWARDS_SENDER
    assert len(other.finished) == 1 and not other.busy


def test_no_more_than_eight_files_arrive_at_a_time():
    _, entity = pair()
    for number in range(9):
        entity.receive(METADATA[:9] + bytes([number]) + METADATA[10:])
    assert entity.counts.ignored == 1


def test_a_request_for_everything_many_times_is_answered_with_the_file_once():
    one, _ = pair()
    one.put(FILE, "file")
    conf = PduFactory.from_raw(one.pdus(100_000)[0]).pdu_header.pdu_conf
    for _ in range(100):
        one.receive(bytes(NakPdu(conf, 0, 2**32 - 1, [(0, 2**32 - 1), (0, 0), (5, 40_000)]).pack()))
    again = [PduFactory.from_raw(pdu) for pdu in one.pdus(10**6)]
    data = b"".join(pdu.file_data for pdu in again if isinstance(pdu, FileDataPdu))
    assert data == FILE and sum(isinstance(pdu, MetadataPdu) for pdu in again) == 1


def test_while_time_stands_still_nothing_runs_out():
    one, other = pair()
    one.put(FILE, "file")
    one.tick(5.0)
    one.pdus(100_000)
    for _ in range(1000):
        one.tick(5.0)
        other.tick(5.0)
        assert one.pdus(100_000) == []
    assert one.busy and not one.finished


def test_without_an_answer_the_sender_gives_up():
    one, other = pair()
    one.put(FILE, "file")
    took_s = converse(one, other, lambda pdu: [], until_s=100.0)
    assert outcome(one) == (ConditionCode.POSITIVE_ACK_LIMIT_REACHED, False)
    # the limit for the EOF, and once more for the EOF that cancels
    assert took_s == pytest.approx(2 * 0.2 * 30, rel=0.1)


def test_a_receiver_that_hears_no_more_gives_up_and_keeps_nothing():
    there = MemoryFilestore()
    one, other = pair(there=there)
    one.put(FILE, "file")
    for pdu in one.pdus(5000):
        other.receive(pdu)
    other.tick(19.9)
    assert not other.finished
    for step in range(2000):
        other.tick(20.0 + step * STEP_S)
        other.pdus(1000)
    assert outcome(other) == (ConditionCode.INACTIVITY_DETECTED, False) and there.files == {} and not other.busy


def test_a_sender_that_waits_for_finished_in_vain_gives_up():
    one, other = pair()
    one.put(FILE, "file")
    acknowledged = lambda pdu: [0] if not isinstance(PduFactory.from_raw(pdu), FinishedPdu) else []  # noqa: E731
    converse(one, other, acknowledged)
    assert outcome(other) == DONE and outcome(one) == (ConditionCode.INACTIVITY_DETECTED, False)


def test_a_file_that_was_changed_on_the_way_is_not_kept():
    there = MemoryFilestore()
    one, other = pair(there=there)
    one.put(FILE, "file")
    forged = [bytes([*pdu[:-1], pdu[-1] ^ 1]) if len(pdu) == 1016 else pdu for pdu in one.pdus(100_000)]
    for pdu in forged:
        other.receive(pdu)
    assert outcome(other) == (ConditionCode.FILE_CHECKSUM_FAILURE, False) and there.files == {}
    converse(other, one)
    assert outcome(one) == (ConditionCode.FILE_CHECKSUM_FAILURE, False)


class FullFile(io.BytesIO):
    def write(self, data):
        if self.tell() > 20_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


class FullStore(MemoryFilestore):
    def create(self, name):
        return FullFile()


class UnwritableAtTheEnd(MemoryFilestore):
    def keep(self, name, file):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("class_", [1, 2])
@pytest.mark.parametrize("store", [FullStore, UnwritableAtTheEnd, lambda: FolderFilestore(Path("/nowhere"))])
def test_a_disk_that_refuses_is_a_condition_that_both_ends_know(store, class_):
    one, other = pair(there=store())
    one.put(FILE, "file", class_)
    converse(one, other, room=3000)
    assert outcome(other) == (ConditionCode.FILESTORE_REJECTION, False)
    assert outcome(one) == (DONE if class_ == 1 else (ConditionCode.FILESTORE_REJECTION, False))


class ShrinkingStore(MemoryFilestore):
    def source(self, name):
        return FailingFile(FILE)


class FailingFile(io.BytesIO):
    def read(self, size=-1):
        if self.tell() > 20_000:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


def test_a_file_that_cannot_be_read_to_its_end_ends_the_transfer_and_the_next_goes_on():
    there = MemoryFilestore()
    one, other = pair(ShrinkingStore(), there, Timing(0.2, 30, 1.0))
    one.put(Path("bad"), "bad")
    one.put(FILE, "good")
    converse(one, other)
    assert [(t.name, t.condition) for t in one.finished] == [
        ("bad", ConditionCode.FILESTORE_REJECTION),
        ("good", ConditionCode.NO_ERROR),
    ]
    assert there.files == {"good": FILE}


def metadata(name, checksum=ChecksumType.CRC_32, size=9):
    conf = PduConfig(ByteFieldU16(OURS), ByteFieldU16(THEIRS), ByteFieldU32(7), TransmissionMode.ACKNOWLEDGED)
    return bytes(MetadataPdu(conf, MetadataParams(False, checksum, size, "x", name)).pack())


@pytest.mark.parametrize(
    "name", ["../out", "/out", "a/../../out", "link/out", ".", "sub", "a\0b", "no/folder", "n" * 255]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "link").symlink_to(tmp_path)
    _, entity = pair(there=FolderFilestore(inside))
    entity.receive(metadata(name))
    assert outcome(entity) == (ConditionCode.FILESTORE_REJECTION, False)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert sorted(path.name for path in inside.iterdir()) == ["link", "sub"]


@pytest.mark.parametrize("name", ["../secret", "link/secret", "missing", "sub"])
def test_no_file_from_outside_the_folder_is_sent(tmp_path, name):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "link").symlink_to(tmp_path)
    (tmp_path / "secret").write_bytes(b"secret")
    entity, _ = pair(FolderFilestore(inside))
    with pytest.raises(ConfigError, match="expected a file in the filestore"):
        entity.put(Path(name), "file")


@pytest.mark.parametrize("name", ["", "n" * 256, "é" * 128])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ConfigError, match="expected a name of 1 to 255 octets"):
        pair()[0].put(b"", name)


def test_a_file_in_a_folder_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"old")
    (tmp_path / "source").write_bytes(FILE)
    one, other = pair(FolderFilestore(tmp_path), FolderFilestore(tmp_path / "there"))
    one.put(Path("source"), "file")
    for pdu in one.pdus(20_000):
        other.receive(pdu)
    assert (tmp_path / "there" / "file").read_bytes() == b"old"
    converse(one, other)
    assert (tmp_path / "there" / "file").read_bytes() == FILE
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"checksum": ChecksumType.CRC_32_PROXIMITY_1}, ConditionCode.UNSUPPORTED_CHECKSUM_TYPE),
        ({"size": LARGEST_FILE_OCTETS + 1}, ConditionCode.FILE_SIZE_ERROR),
    ],
)
def test_what_cannot_be_received_is_refused_at_once(changes, condition):
    _, entity = pair()
    entity.receive(metadata("file", **changes))
    assert outcome(entity) == (condition, False)
    (answer,) = entity.pdus(1000)
    assert PduFactory.from_raw(answer).condition_code == condition


def test_data_past_the_end_takes_no_memory():
    _, entity = pair()
    entity.receive(metadata("file"))
    conf = PduFactory.from_raw(metadata("file")).pdu_header.pdu_conf
    entity.receive(bytes(FileDataPdu(conf, FileDataParams(b"x", 2**32 - 2)).pack()))
    assert entity.counts.ignored == 1 and not entity.finished


def test_packets_have_their_own_apid_and_fill_the_room():
    one, _ = pair()
    one.put(FILE, "file")
    one.tick(1.5)
    packets = one.packets(4000)
    assert 4000 - 1032 < sum(map(len, packets)) <= 4000
    packets += one.packets(10**6)
    headers = [SpacePacketHeader.unpack(packet) for packet in packets]
    assert [header.seq_count for header in headers] == list(range(43)) and {h.apid for h in headers} == {CFDP_APID}
    assert all(packet[6:14] == (1_500_000).to_bytes(8, "big") for packet in packets)
    parsed = [PduFactory.from_raw(packet[14:-2]) for packet in packets]
    assert b"".join(pdu.file_data for pdu in parsed if isinstance(pdu, FileDataPdu)) == FILE


def busy_pair():
    """Two entities in the midst of files, with what they said so far."""
    one, other = pair()
    one.put(FILE[:5000], "a")
    other.put(FILE[:3000], "b")
    said = [pdu for entity in (one, other) for pdu in entity.pdus(4000)]
    for pdu in said[:3]:
        other.receive(pdu)
    for pdu in said[4:6]:
        one.receive(pdu)
    return one, other, said + other.pdus(100_000) + one.pdus(100_000)


@settings(max_examples=150, deadline=None)
@given(octets=st.lists(st.binary(max_size=60), max_size=6), data=st.data())
def test_no_octets_raise(octets, data):
    one, other, said = busy_pair()
    forged = list(octets)
    for pdu in data.draw(st.lists(st.sampled_from(said), max_size=8)):
        changed = bytearray(pdu)
        for _ in range(data.draw(st.integers(0, 3))):
            changed[data.draw(st.integers(0, min(len(changed), 40) - 1))] = data.draw(st.integers(0, 255))
        forged.append(bytes(changed[: data.draw(st.sampled_from([len(changed), len(changed) // 2]))]))
    for step, pdu in enumerate(data.draw(st.permutations(forged))):
        for entity in (one, other):
            entity.receive(pdu)
            entity.tick(step * 0.3)
            assert sum(map(len, entity.pdus(8000))) <= 8000


TOWARDS_SENDER = 0x08


def test_what_makes_no_sense_is_counted():
    _, entity = pair()
    to_somebody_else = METADATA[:10] + b"\0\3" + METADATA[12:]
    no_utf_8 = METADATA[:-4] + b"\xff\xfe\xfd\xfc"
    no_option = METADATA[:2] + b"\x12" + METADATA[3:] + b"\x77\x00"
    nonsense = [b"", b"\xff", METADATA[:-1], to_somebody_else, no_utf_8, no_option, FILE_DATA, EOF]
    for count, pdu in enumerate(nonsense, 1):
        entity.receive(pdu)
        assert entity.counts.ignored == count
    assert not entity.busy


def test_what_goes_the_wrong_way_is_counted():
    one, other = pair()
    one.put(FILE, "file")
    there = one.pdus(100_000)
    other.receive(there[0])
    for pdu in there[2:]:
        other.receive(pdu)
    back = other.pdus(100_000)
    conf = PduFactory.from_raw(back[0]).pdu_header.pdu_conf
    finished = FinishedParams(ConditionCode.NO_ERROR, DeliveryCode.DATA_COMPLETE, FileStatus.FILE_RETAINED)
    back.append(bytes(FinishedPdu(conf, finished).pack()))
    assert {type(PduFactory.from_raw(pdu)) for pdu in back} == {AckPdu, NakPdu, FinishedPdu}
    turned = [bytes([pdu[0] ^ TOWARDS_SENDER]) + pdu[1:] for pdu in there + back]
    swapped = [pdu[:4] + pdu[10:12] + pdu[6:10] + pdu[4:6] + pdu[12:] for pdu in turned]
    of_another = [pdu[:4] + b"\0\3" + pdu[6:] for pdu in there + back]
    for pdu in turned + swapped + of_another:
        for entity in (one, other):
            before = entity.counts.ignored
            entity.receive(pdu)
            assert entity.counts.ignored == before + 1
    assert one.pdus(1000) == other.pdus(1000) == []


def test_a_pdu_of_another_class_than_its_file_is_counted():
    _, entity = pair()
    for pdu in (METADATA, bytes([FILE_DATA[0] ^ 4]) + FILE_DATA[1:], FILE_DATA, EOF):
        entity.receive(pdu)
    assert entity.counts.ignored == 1 and outcome(entity) == DONE
