"""What a faulty line did to the packets on it, seen from both of its ends, held against what its events say.

A packet number of one direction has `entered - left` packets missing: as many as were dropped, corrupted or truncated,
less those that were duplicated, and perhaps those that were delayed or reordered, which may not have left yet.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flightsw.ccsds.space_packet import Packet
from hil.faults import Fault, FaultModel
from hil.framing import PacketReader, packet_reader
from hil.link import Direction
from hil.protocol import SAMPLES_ID, Data, Kind, message_id
from hil.traffic import Operation, What
from hil.transports import Framing

_DONE = {
    "dropped": Fault.DROP,
    "corrupted": Fault.CORRUPT,
    "delayed": Fault.DELAY,
    "duplicated": Fault.DUPLICATE,
    "reordered": Fault.REORDER,
    "truncated": Fault.TRUNCATE,
}
_TEXT = re.compile(
    rf"({'|'.join(kind.label for kind in Kind)}): "
    rf"(?:({'|'.join(_DONE)}) (?:packet (\d+)|what is no packet) (to device|from device)|(\w+) begins)"
)
#: Packets that may have been read of a device, and not yet by the host, when a connection ends.
_UNREAD = 16


class Told(NamedTuple):
    """A fault that an event tells of; number and direction are of its packet, None where there is none."""

    device: Kind
    fault: Fault
    number: int | None
    direction: Direction | None


def told(text: str) -> Told | None:
    """The fault in the text of a FAULT event; None for the end of one, or one of the world's."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    label, done, number, direction, lasting = found.groups()
    device = next(kind for kind in Kind if kind.label == label)
    if done is None:
        return Told(device, Fault(lasting), None, None)
    return Told(device, _DONE[done], None if number is None else int(number), Direction(direction))


class Witnessed(NamedTuple):
    """A packet, and whether it was one of the last before its connection ended."""

    packet: Packet
    at_the_end: bool


def packets(operations: Iterable[Operation], direction: Direction) -> list[Witnessed]:
    """Packets of one direction out of a log."""
    what = What.WRITE if direction is Direction.TO_DEVICE else What.READ
    found: list[Witnessed] = []
    for connection in _connections(operations, what):
        last = len(connection) - (_UNREAD if what is What.READ else 0)
        found += [Witnessed(packet, n >= last) for n, packet in enumerate(connection)]
    return found


def _connections(operations: Iterable[Operation], what: What) -> Iterator[list[Packet]]:
    reader: PacketReader = packet_reader(Framing.STREAM)
    current: list[Packet] = []
    for operation in operations:
        if operation.what is What.OPENED:
            yield current
            current, reader = [], packet_reader(operation.opened()[0])
        elif operation.what is what:
            current += reader.push(operation.octets)
    yield current


def forged(entered: Iterable[Witnessed], left: Iterable[Witnessed], faults: Iterable[FaultModel]) -> list[Packet]:
    """Packets that left a line and never entered it, but for what lasting faults change on purpose."""
    kinds = {fault.fault for fault in faults}

    def kept(packet: Packet) -> Packet:
        if Fault.DRIFT in kinds and not packet.telecommand:
            packet = packet._replace(time_us=0)
        changed = {SAMPLES_ID: Fault.STUCK, message_id(Data): Fault.SATURATE}.get(packet.data[0])
        return packet._replace(data=packet.data[:1]) if changed in kinds else packet

    genuine = {kept(packet) for packet, _ in entered}
    return [packet for packet, _ in left if kept(packet) not in genuine]


def unexplained(entered: Iterable[Witnessed], left: Iterable[Witnessed], events: Iterable[Told]) -> list[int]:
    """Packet numbers of one direction of which more, or fewer, are missing than events tell."""
    missing: Counter[int] = Counter()
    unread: Counter[int] = Counter()
    for packet, at_the_end in entered:
        missing[packet.sequence_count] += 1
        unread[packet.sequence_count] += at_the_end
    for packet, _ in left:
        missing[packet.sequence_count] -= 1
    least, most = Counter[int](), unread
    for event in events:
        assert event.number is not None
        match event.fault:
            case Fault.DUPLICATE:
                least[event.number] -= 1
                most[event.number] -= 1
            case Fault.DELAY | Fault.REORDER:
                most[event.number] += 1
            case _:
                least[event.number] += 1
                most[event.number] += 1
    return [n for n in {*missing, *least} if not least[n] <= missing[n] <= most[n]]
