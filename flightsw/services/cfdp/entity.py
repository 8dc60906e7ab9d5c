"""An entity of the CCSDS file delivery protocol, 727.0-B-5: files to and from one peer, in classes 1 and 2.

```
 put --> source -----> Metadata, file data, EOF -----> destination --> filestore
         the peer's <-- ACK, NAK, Finished <---------- of this or that file
```

The procedures are cfdp-py's. An entity has no clock and no line: it is told the time, given the PDUs that arrive, and
asked for those to send. Where the time stands still, as it may while there is no link, so do all its timers. Files are
sent one after the other. PDUs travel in space packets of their own APID, as user data.
"""

from collections import deque
from collections.abc import Iterable
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cfdppy.request import PutRequest
from spacepackets.cfdp import ConditionCode, Direction, TransmissionMode
from spacepackets.cfdp.pdu import (
    AckPdu,
    DeliveryCode,
    DirectiveType,
    EofPdu,
    FileDataPdu,
    FinishedPdu,
    MetadataPdu,
    NakPdu,
    PduFactory,
    TransactionStatus,
)
from spacepackets.cfdp.pdu.finished import FinishedParams
from spacepackets.util import ByteFieldU16

from flightsw.ccsds.space_packet import OVERHEAD, telemetry_packets
from flightsw.errors import ConfigError
from flightsw.services.cfdp.copy import CHECKSUMS, FileCopy
from flightsw.services.cfdp.filestore import Filestore
from flightsw.services.cfdp.handlers import SEGMENT_OCTETS, Clock, Counts, Destination, Source, Timing

CFDP_APID = 100
#: A file that arrives may be told to be of any size: a forged one may not take all memory.
LARGEST_FILE_OCTETS = 1 << 30
_LONGEST_NAME = 255
#: Files that may arrive at the same time, and transactions that are remembered after their end.
_MOST_INCOMING = 8
_REMEMBERED = 256


class Transfer(NamedTuple):
    """A transfer that is over. `number` is the transaction's, given by the entity that sent the file.

    A file that was sent by class 1 counts as `complete` once it is gone.
    """

    number: int
    name: str
    sent: bool
    condition: ConditionCode
    complete: bool


class Entity:
    """One end of the transfers between two entities.

    Attributes:
        finished: transfers that are over, oldest first; take with `popleft`.
        counts: what was sent, and what was not understood.
        next_transaction: the number of the next file: what was before a restart must not be used again.
    """

    def __init__(
        self,
        entity: int,
        peer: int,
        filestore: Filestore,
        timing: Timing,
        next_transaction: int = 0,
        segment_octets: int = SEGMENT_OCTETS,
    ) -> None:
        """`entity` and `peer`: entity identifiers, 0 to 65535; `segment_octets`: of a file in one PDU."""
        self.finished: deque[Transfer] = deque()
        self.counts = Counts()
        self.next_transaction = next_transaction
        self._entity = entity
        self._peer = peer
        self._filestore = filestore
        self._timing = timing
        self._segment_octets = segment_octets
        self._clock = Clock()
        self._outgoing: deque[Source] = deque()
        self._incoming: dict[int, Destination] = {}
        self._over: deque[int] = deque(maxlen=_REMEMBERED)
        self._metadata_asked: dict[int, float] = {}
        self._ready: deque[bytes] = deque()
        self._packets = 0

    @property
    def busy(self) -> bool:
        """There are files under way."""
        return bool(self._outgoing or self._incoming or self._ready)

    def put(self, source: bytes | Path, name: str, class_: int = 2) -> int:
        """Send octets, or a file of the filestore, to be called `name` there; returns the transaction's number.

        Raises ConfigError for a file that cannot be opened or is too large, and for a name that is too long or empty.
        """
        if not 0 < len(name.encode()) <= _LONGEST_NAME:
            raise ConfigError(f"put {name!r}: expected a name of 1 to {_LONGEST_NAME} octets; choose another")
        try:
            file = BytesIO(source) if isinstance(source, bytes) else self._filestore.source(source.as_posix())
        except OSError as error:
            raise ConfigError(f"put {name}: expected a file in the filestore, found: {error.strerror}") from None
        copy = FileCopy(self._filestore, file)
        octets = copy.file_size(Path(name))
        if octets > LARGEST_FILE_OCTETS:
            copy.close()
            raise ConfigError(
                f"put {name}: expected at most {LARGEST_FILE_OCTETS} octets, found {octets}; split the file"
            )
        request = PutRequest(
            ByteFieldU16(self._peer),
            source_file=Path(name) if isinstance(source, bytes) else source,
            dest_file=Path(name),
            trans_mode=TransmissionMode.UNACKNOWLEDGED if class_ == 1 else TransmissionMode.ACKNOWLEDGED,
            closure_requested=False,
        )
        number = self.next_transaction
        self.next_transaction += 1
        self._outgoing.append(
            Source(
                self._entity,
                self._peer,
                number,
                copy,
                request,
                self._clock,
                self._timing,
                self.counts,
                self._segment_octets,
            )
        )
        return number

    def receive(self, pdu: bytes) -> None:
        """Take a PDU of the peer. One that makes no sense, or none any more, is counted as `ignored`."""
        parsed = _parse(pdu)
        ends = None if parsed is None else (parsed.source_entity_id.value, parsed.dest_entity_id.value)
        if parsed is not None and parsed.direction == Direction.TOWARDS_RECEIVER and ends == (self._peer, self._entity):
            self._take(parsed)
        elif parsed is not None and parsed.direction == Direction.TOWARDS_SENDER and ends == (self._entity, self._peer):
            self._hear(parsed)
        else:
            self.counts.ignored += 1

    def tick(self, now_s: float) -> None:
        """Tell the time, in s, and have the timers looked at."""
        self._clock.now_s = now_s
        for number, incoming in list(self._incoming.items()):
            self._after(number, incoming, incoming.tick())

    def pdus(self, room_octets: int, overhead_octets: int = 0) -> list[bytes]:
        """PDUs to send now, in all at most `room_octets` long, each counted with `overhead_octets` more."""
        taken = []
        while room_octets > overhead_octets and (pdu := self._next()) is not None:
            if len(pdu) + overhead_octets > room_octets:
                self._ready.appendleft(pdu)
                break
            room_octets -= len(pdu) + overhead_octets
            taken.append(pdu)
        return taken

    def packets(self, room_octets: int) -> list[bytes]:
        """Space packets with PDUs to send now, in all at most `room_octets` long."""
        packets: list[bytes] = []
        time_us = round(self._clock.now_s * 1e6)
        for length, group in groupby(self.pdus(room_octets, OVERHEAD), len):
            rows = np.frombuffer(b"".join(group), np.uint8).reshape(-1, length)
            times_us = np.full(len(rows), time_us, np.int64)
            packets.extend(row.tobytes() for row in telemetry_packets(CFDP_APID, self._packets, times_us, rows))
            self._packets += len(rows)
        return packets

    def _next(self) -> bytes | None:
        if self._ready:
            return self._ready.popleft()
        while self._outgoing:
            source = self._outgoing[0]
            pdu = source.next()
            if pdu is not None:
                return pdu
            if source.outcome is None:
                return None
            self._outgoing.popleft()
            self.finished.append(_transfer(source.number, source.name, True, source.outcome))
        return None

    def _take(self, pdu: Any) -> None:
        number = pdu.transaction_seq_num.value
        incoming = self._incoming.get(number)
        acknowledged = pdu.transmission_mode == TransmissionMode.ACKNOWLEDGED
        if incoming is not None:
            past_end = isinstance(pdu, FileDataPdu) and pdu.offset + len(pdu.file_data) > (incoming.file_size or 0)
            if past_end or isinstance(pdu, MetadataPdu) or incoming.transmission_mode != pdu.transmission_mode:
                self.counts.ignored += 1
            else:
                self._after(number, incoming, incoming.take(pdu))
        elif number in self._over:
            if acknowledged and isinstance(pdu, EofPdu):
                self._acknowledge(pdu, DirectiveType.EOF_PDU)
        elif isinstance(pdu, MetadataPdu) and len(self._incoming) < _MOST_INCOMING:
            copy = FileCopy(self._filestore)
            incoming = Destination(self._entity, self._peer, copy, self._clock, self._timing, self._segment_octets)
            self._incoming[number] = incoming
            self._metadata_asked.pop(number, None)
            answers = incoming.take(pdu)
            if pdu.checksum_type not in CHECKSUMS:
                answers += incoming.cancel(ConditionCode.UNSUPPORTED_CHECKSUM_TYPE)
            elif pdu.file_size > LARGEST_FILE_OCTETS:
                answers += incoming.cancel(ConditionCode.FILE_SIZE_ERROR)
            self._after(number, incoming, answers)
        elif acknowledged and isinstance(pdu, FileDataPdu | EofPdu):
            self._ask_for_metadata(number, pdu)
        else:
            self.counts.ignored += 1

    def _hear(self, pdu: Any) -> None:
        number = pdu.transaction_seq_num.value
        source = self._outgoing[0] if self._outgoing else None
        if source is not None and source.number == number and source.under_way:
            source.hear(pdu)
        elif number < self.next_transaction and isinstance(pdu, FinishedPdu):
            self._acknowledge(pdu, DirectiveType.FINISHED_PDU)
        else:
            self.counts.ignored += 1

    def _after(self, number: int, incoming: Destination, answers: Iterable[bytes]) -> None:
        """Send what a receiving handler has to say, and take note of its end."""
        self._ready.extend(answers)
        if incoming.outcome is not None and number not in self._over:
            self._over.append(number)
            self.finished.append(_transfer(number, incoming.name, False, incoming.outcome))
        if incoming.over:
            del self._incoming[number]

    def _acknowledge(self, pdu: Any, directive: DirectiveType) -> None:
        """Answer a PDU of a transaction that is over: the answer of before may have been lost."""
        conf = pdu.pdu_header.pdu_conf
        ack = AckPdu(conf, directive, pdu.condition_code, TransactionStatus.TERMINATED)
        self._ready.append(bytes(ack.pack()))

    def _ask_for_metadata(self, number: int, pdu: Any) -> None:
        """Ask for the first PDU of a file; until it is there, nobody knows where the others belong."""
        asked_s = self._metadata_asked.pop(number, None)
        if asked_s is None or self._clock.now_s - asked_s >= self._timing.answer_s:
            asked_s = self._clock.now_s
            self._ready.append(bytes(NakPdu(pdu.pdu_header.pdu_conf, 0, 0, [(0, 0)]).pack()))
        self._metadata_asked[number] = asked_s
        if len(self._metadata_asked) > _MOST_INCOMING:
            del self._metadata_asked[next(iter(self._metadata_asked))]


def _transfer(number: int, name: str, sent: bool, outcome: FinishedParams) -> Transfer:
    complete = outcome.delivery_code == DeliveryCode.DATA_COMPLETE
    return Transfer(number, name, sent, outcome.condition_code, complete)


def _parse(octets: bytes) -> Any | None:
    """A PDU that has a place at the end that its direction says, None for anything else."""
    try:
        pdu = PduFactory.from_raw(octets)
        if isinstance(pdu, MetadataPdu):
            # these are read from the octets when they are looked at
            _ = pdu.dest_file_name, pdu.source_file_name, pdu.options_as_tlv()
        if isinstance(pdu, EofPdu):
            # spacepackets 0.32 leaves the code in the upper half of its octet
            pdu.condition_code = ConditionCode(octets[pdu.pdu_header.header_len + 1] >> 4)
    except Exception:
        # spacepackets lets through whatever octets provoke: ValueError, IndexError, struct.error and more
        return None
    if isinstance(pdu, AckPdu):
        toward_sender = pdu.direction == Direction.TOWARDS_SENDER
        acknowledged = DirectiveType.EOF_PDU if toward_sender else DirectiveType.FINISHED_PDU
        return pdu if pdu.directive_code_of_acked_pdu == acknowledged else None
    if isinstance(pdu, FileDataPdu | MetadataPdu | EofPdu):
        return pdu if pdu.direction == Direction.TOWARDS_RECEIVER else None
    if isinstance(pdu, NakPdu | FinishedPdu):
        return pdu if pdu.direction == Direction.TOWARDS_SENDER else None
    return None
