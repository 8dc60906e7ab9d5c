"""The source and destination handlers of cfdp-py, mended where a lossy link and simulated time need it.

The procedures and the PDUs are those of cfdp-py 0.7. What it lacks or has wrong is here, each at its place: timers read
the wall clock; all transactions share one list of lost segments; an EOF is not acknowledged twice, nor a checksum
looked at where nothing was lost; a request for segments is answered in one go, however much it asks for; a receiver
whose Finished PDU nobody acknowledges sends it for ever.
"""

import copy
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from cfdppy import IndicationConfig, LocalEntityConfig, RemoteEntityConfig, RemoteEntityConfigTable
from cfdppy.defs import CfdpState
from cfdppy.handler.dest import DestHandler, LostSegmentTracker
from cfdppy.handler.dest import TransactionStep as DestinationStep
from cfdppy.handler.source import SourceHandler
from cfdppy.handler.source import TransactionStep as SourceStep
from cfdppy.mib import CheckTimerProvider, DefaultFaultHandlerBase
from cfdppy.request import PutRequest
from cfdppy.user import CfdpUserBase
from spacepackets.cfdp import ChecksumType, ConditionCode, EntityIdTlv, TransmissionMode
from spacepackets.cfdp.pdu import (
    AckPdu,
    DeliveryCode,
    DirectiveType,
    EofPdu,
    FileStatus,
    FinishedPdu,
    NakPdu,
    TransactionStatus,
)
from spacepackets.cfdp.pdu.finished import FinishedParams
from spacepackets.cfdp.pdu.helper import PduHolder
from spacepackets.countdown import Countdown
from spacepackets.seqcount import SeqCountProvider
from spacepackets.util import ByteFieldU16

from flightsw.services.cfdp.copy import FileCopy, Rejection

#: Octets of the file in one PDU, unless the entity was told otherwise.
SEGMENT_OCTETS = 1000
#: Header and offset ahead of them.
_PDU_OVERHEAD = 16
_NUMBER_BITS = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an entity waits.

    Attributes:
        answer_s: for an answer (ACK, file data that a NAK asked for) before it asks again.
        limit: how many times in vain before the transaction is cancelled, 2 or more.
        inactivity_s: for anything at all from the peer while it owes something, before it cancels.
    """

    answer_s: float
    limit: int
    inactivity_s: float


@dataclass(slots=True)
class Clock:
    """The time that an entity was told last, in s."""

    now_s: float = 0.0


@dataclass(slots=True)
class Counts:
    """PDUs of file data that were sent, those among them that were sent before, and PDUs that had no place."""

    segments_sent: int = 0
    segments_resent: int = 0
    ignored: int = 0


class Timer(Countdown):
    """A countdown by an entity's clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__(timedelta(seconds=seconds))
        self._clock = clock
        self._seconds = seconds
        self.start()

    def start(self) -> None:
        """Begin anew."""
        self._since_s = self._clock.now_s

    def timed_out(self) -> bool:
        """The time is over."""
        return self._clock.now_s - self._since_s >= self._seconds


class _CheckTimers(CheckTimerProvider):
    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def provide_check_timer(self, *_: object, **__: object) -> Timer:
        return Timer(self._clock, self._seconds)


class _User(CfdpUserBase):
    """Indications that nobody needs: an entity looks at its handlers itself."""

    _unheard: ClassVar[Any] = staticmethod(lambda *_: None)
    transaction_indication = eof_sent_indication = transaction_finished_indication = _unheard
    metadata_recv_indication = file_segment_recv_indication = report_indication = _unheard
    suspended_indication = resumed_indication = fault_indication = abandoned_indication = _unheard
    eof_recv_indication = _unheard


class _Faults(DefaultFaultHandlerBase):
    """What to do at a fault is cfdp-py's default: cancel, but go on at a wrong checksum, which may be mended yet."""

    _unheard: ClassVar[Any] = staticmethod(lambda *_: None)
    notice_of_suspension_cb = notice_of_cancellation_cb = abandoned_cb = ignore_cb = _unheard


class _LostSegments(LostSegmentTracker):
    """Gaps of a file, (begin, end) in octets. Other segments may arrive than were lost."""

    def remove_lost_segment(self, segment_to_remove: tuple[int, int]) -> bool:
        """Take a segment out of the gaps; says whether there was any of it in them."""
        begin, end = segment_to_remove
        gaps = [
            (a, b)
            for gap in self.lost_segments
            for a, b in ((gap[0], min(gap[1], begin)), (max(gap[0], end), gap[1]))
            if a < b
        ]
        removed = gaps != self.lost_segments
        self.lost_segments = gaps
        return removed


def _local(entity: int) -> LocalEntityConfig:
    return LocalEntityConfig(ByteFieldU16(entity), IndicationConfig(*[False] * 6), _Faults())


def _remote(entity: int, timing: Timing, segment_octets: int) -> RemoteEntityConfigTable:
    return RemoteEntityConfigTable(
        [
            RemoteEntityConfig(
                ByteFieldU16(entity),
                max_file_segment_len=segment_octets,
                max_packet_len=segment_octets + _PDU_OVERHEAD,
                closure_requested=False,
                crc_on_transmission=False,
                default_transmission_mode=TransmissionMode.ACKNOWLEDGED,
                crc_type=ChecksumType.CRC_32,
                positive_ack_timer_interval_seconds=timing.answer_s,
                positive_ack_timer_expiration_limit=timing.limit,
                nak_timer_interval_seconds=timing.answer_s,
                nak_timer_expiration_limit=timing.limit,
                check_limit=timing.limit,
            )
        ]
    )


def _octets(holder: PduHolder) -> bytes:
    assert holder.pdu is not None
    return bytes(holder.pdu.pack())


class Source(SourceHandler):
    """Sends one file.

    Attributes:
        outcome: condition, delivery and file status, once the transaction is over.
    """

    def __init__(
        self,
        entity: int,
        peer: int,
        number: int,
        copy_: FileCopy,
        request: PutRequest,
        clock: Clock,
        timing: Timing,
        counts: Counts,
        segment_octets: int,
    ) -> None:
        count = SeqCountProvider(_NUMBER_BITS)
        count.count = number
        timers = _CheckTimers(clock, timing.answer_s)
        super().__init__(_local(entity), _User(copy_), _remote(peer, timing, segment_octets), timers, count)
        self.number = number
        self.name = str(request.dest_file)
        self.outcome: FinishedParams | None = None
        self._copy = copy_
        self._clock = clock
        self._timing = timing
        self._counts = counts
        self._segment_octets = segment_octets
        self._asked = _LostSegments()
        self._metadata_asked = False
        self._ready: deque[bytes] = deque()
        self._silence = Timer(clock, timing.inactivity_s)
        self.put_request(request)

    @property
    def under_way(self) -> bool:
        """Something was sent, and the transaction is not over."""
        return self.transaction_id is not None

    def next(self) -> bytes | None:
        """The PDU to send now, None if there is none: what was asked for again first, then what was not sent yet."""
        if not self._ready and self.outcome is None:
            if self.step == SourceStep.WAITING_FOR_FINISHED and self._silence.timed_out():
                self._end(ConditionCode.INACTIVITY_DETECTED)
                self.reset()
                return None
            self._run(self._request())
        return self._ready.popleft() if self._ready else None

    def hear(self, pdu: AckPdu | NakPdu | FinishedPdu) -> None:
        """Take what the receiver of this file says."""
        self._silence.start()
        # a receiver that misses the first PDU asks for it, and cannot acknowledge the last one yet
        self._params.positive_ack_params.ack_counter = 0
        if isinstance(pdu, NakPdu):
            for begin, end in pdu.segment_requests:
                self._metadata_asked |= begin == end == 0
                if begin < end:
                    self._asked.add_lost_segment((begin, end))
            self._asked.coalesce_lost_segments()
        elif isinstance(pdu, FinishedPdu):
            # it says that the EOF is known as well, or that nothing more is wanted
            self.states.step = SourceStep.WAITING_FOR_FINISHED
            self._run(pdu)
        elif self.step == SourceStep.WAITING_FOR_EOF_ACK:
            self._run(pdu)

    def _request(self) -> NakPdu | None:
        """The next segment to be sent again, as a request for it alone."""
        if self._metadata_asked:
            self._metadata_asked = False
            return NakPdu(self.pdu_conf, 0, 0, [(0, 0)])
        gaps = self._asked.lost_segments
        if not gaps or gaps[0][0] >= self.progress:
            gaps.clear()
            return None
        begin = gaps[0][0]
        end = min(begin + self._segment_octets, gaps[0][1])
        self._asked.remove_lost_segment((begin, end))
        return NakPdu(self.pdu_conf, begin, end, [(begin, end)])

    def _run(self, pdu: AckPdu | NakPdu | FinishedPdu | None) -> None:
        try:
            self.state_machine(pdu)
        except Rejection:
            self._end(ConditionCode.FILESTORE_REJECTION)
            self.reset()
        while (holder := self.get_next_packet()) is not None:
            self._silence.start()
            self._ready.append(_octets(holder))

    def _end(self, condition: ConditionCode) -> None:
        self.outcome = FinishedParams(condition, DeliveryCode.DATA_INCOMPLETE, FileStatus.FILE_STATUS_UNREPORTED)
        self._copy.close()

    def _notice_of_completion(self) -> None:
        # class 1 hears nothing of the file's fate
        self.outcome = self._params.finished_params or FinishedParams(
            ConditionCode.NO_ERROR, DeliveryCode.DATA_COMPLETE, FileStatus.FILE_STATUS_UNREPORTED
        )
        self._copy.close()
        super()._notice_of_completion()

    def _abandon_transaction(self) -> None:
        assert self._params.cond_code_eof is not None
        self._end(self._params.cond_code_eof)
        super()._abandon_transaction()

    def _prepare_file_data_pdu(self, offset: int, read_len: int) -> None:
        super()._prepare_file_data_pdu(offset, read_len)
        self._counts.segments_sent += 1
        self._counts.segments_resent += offset < self.progress

    def _start_positive_ack_procedure(self) -> None:
        super()._start_positive_ack_procedure()
        self._params.positive_ack_params.ack_timer = Timer(self._clock, self._timing.answer_s)


class Destination(DestHandler):
    """Receives one file.

    Attributes:
        outcome: condition, delivery and file status, once they are known; the peer may not have heard of them yet.
        name: of the file, once known.
    """

    def __init__(
        self, entity: int, peer: int, copy_: FileCopy, clock: Clock, timing: Timing, segment_octets: int
    ) -> None:
        timers = _CheckTimers(clock, timing.answer_s)
        super().__init__(_local(entity), _User(copy_), _remote(peer, timing, segment_octets), timers)
        self.outcome: FinishedParams | None = None
        self.name = ""
        self._copy = copy_
        self._clock = clock
        self._timing = timing
        self._silence = Timer(clock, timing.inactivity_s)

    @property
    def over(self) -> bool:
        """There is nothing left to do."""
        return bool(self.state == CfdpState.IDLE)

    def take(self, pdu: Any) -> list[bytes]:
        """Take a PDU of the file, and return those to send."""
        self._silence.start()
        receiving = self.step in (
            DestinationStep.RECEIVING_FILE_DATA,
            DestinationStep.RECV_FILE_DATA_WITH_CHECK_LIMIT_HANDLING,
        )
        if isinstance(pdu, EofPdu) and not receiving:
            cancelled = pdu.condition_code != ConditionCode.NO_ERROR
            if not cancelled or self.step != DestinationStep.WAITING_FOR_MISSING_DATA:
                conf = self._params.pdu_conf
                ack = AckPdu(conf, DirectiveType.EOF_PDU, pdu.condition_code, TransactionStatus.ACTIVE)
                return [bytes(ack.pack())]
            self.states.step = DestinationStep.RECEIVING_FILE_DATA
        return self._run(pdu)

    def tick(self) -> list[bytes]:
        """Look at the timers, and return PDUs to send."""
        if self.outcome is None and self._silence.timed_out():
            return self.cancel(ConditionCode.INACTIVITY_DETECTED)
        return self._run(None)

    def cancel(self, condition: ConditionCode) -> list[bytes]:
        """End the transaction, and return PDUs to send."""
        if condition != ConditionCode.UNSUPPORTED_CHECKSUM_TYPE:  # its Finished PDU says nothing of where (5.2.3)
            self._params.finished_params.fault_location = EntityIdTlv(self.cfg.local_entity_id.as_bytes)
        self._params.finished_params.delivery_code = DeliveryCode.DATA_INCOMPLETE
        self._notice_of_cancellation(condition)
        return self._run(None)

    def _run(self, pdu: Any) -> list[bytes]:
        try:
            self.state_machine(pdu)
        except Rejection:
            pdus = self._drain()
            self._params.finished_params.file_status = FileStatus.DISCARDED_FILESTORE_REJECTION
            return pdus + self.cancel(ConditionCode.FILESTORE_REJECTION)
        return self._drain()

    def _drain(self) -> list[bytes]:
        pdus = []
        while (holder := self.get_next_packet()) is not None:
            pdus.append(_octets(holder))
        return pdus

    def _common_first_packet_handler(self, pdu: Any) -> bool | None:
        first = super()._common_first_packet_handler(pdu)
        # the handler turns the direction of the PDU's own configuration round
        self._params.pdu_conf = copy.copy(self._params.pdu_conf)
        self._params.acked_params.lost_seg_tracker = _LostSegments()
        return first

    def _handle_metadata_packet(self, metadata_pdu: Any) -> None:
        self.name = str(Path(metadata_pdu.dest_file_name or ""))
        super()._handle_metadata_packet(metadata_pdu)

    def _handle_eof_no_error(self, crc32: bytes) -> bool:
        regular = bool(super()._handle_eof_no_error(crc32))
        if (
            regular
            and self.transmission_mode == TransmissionMode.ACKNOWLEDGED
            and not self._params.acked_params.lost_seg_tracker.lost_segments
            and not self._checksum_verify(self._params.fp.progress, crc32)
        ):
            self._params.finished_params.delivery_code = DeliveryCode.DATA_INCOMPLETE
            self._params.finished_params.condition_code = ConditionCode.FILE_CHECKSUM_FAILURE
        return regular

    def _notice_of_completion(self) -> None:
        finished = self._params.finished_params
        if self.outcome is None:
            whole = finished.delivery_code == DeliveryCode.DATA_COMPLETE
            try:
                self._copy.settle(whole)
            except Rejection:
                finished.condition_code = ConditionCode.FILESTORE_REJECTION
                finished.delivery_code = DeliveryCode.DATA_INCOMPLETE
                finished.file_status = FileStatus.DISCARDED_FILESTORE_REJECTION
            if not whole and finished.file_status == FileStatus.FILE_RETAINED:
                finished.file_status = FileStatus.DISCARDED_DELIBERATELY
            self.outcome = copy.copy(finished)
        super()._notice_of_completion()

    def _deferred_lost_segment_handling(self) -> None:
        super()._deferred_lost_segment_handling()
        params = self._params.acked_params
        if params.procedure_timer is not None and not isinstance(params.procedure_timer, Timer):
            params.procedure_timer = Timer(self._clock, self._timing.answer_s)

    def _start_positive_ack_procedure(self) -> None:
        super()._start_positive_ack_procedure()
        self._params.positive_ack_params.ack_timer = Timer(self._clock, self._timing.answer_s)

    def _handle_positive_ack_procedures(self) -> Any:
        ack = self._params.positive_ack_params
        assert ack.ack_timer is not None
        if ack.ack_timer.timed_out() and ack.ack_counter + 1 >= self._timing.limit:
            self.reset()
            return None
        return super()._handle_positive_ack_procedures()
