"""Packets into transfer frames: CCSDS 132.0-B-3 4.2.2 to 4.2.4, 732.0-B-4 4.2.2 to 4.2.5, 732.1-B-3 4.2.2 to 4.2.6.

The packets of a virtual channel are one stream of octets, cut into the zones of its frames without regard to where a
packet ends. An idle packet fills a last zone up; in TM and AOS it may be longer than the room that is left, and then
its rest leads the channel's next frame.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds import encapsulation_packet, space_packet
from flightsw.ccsds.only_idle import OnlyIdleData
from flightsw.ccsds.packets import Packets, delimit
from flightsw.ccsds.transfer_frame import NO_PACKET_STARTS, ONLY_IDLE_DATA, FrameFormat, Octets
from flightsw.errors import ConfigError


class Multiplexer:
    """Multiplexes packets of several virtual channels onto one physical channel, by priority.

    A channel with anything to send comes before all channels behind it. Where it has not enough for a whole frame, an
    idle packet completes the frame at once: an urgent packet never waits for company.
    """

    def __init__(self, frame_format: FrameFormat, virtual_channels: Sequence[int] | None = None) -> None:
        """Set up channels, the most urgent first; by default all that carry packets, by number.

        Raise ConfigError for one that is there twice or not possible.
        """
        most = frame_format.virtual_channels - (0 if frame_format.idle_channel_carries_packets else 1)
        virtual_channels = range(most) if virtual_channels is None else virtual_channels
        channels = set(virtual_channels)
        if not channels or len(channels) < len(virtual_channels) or not channels <= set(range(most)):
            raise ConfigError(
                f"{frame_format.kind} virtual channels for packets: expected different ones of 0 to {most - 1}, "
                f"found {list(virtual_channels)}"
            )
        self.frame_format = frame_format
        self._queues = {virtual_channel: _Queue() for virtual_channel in virtual_channels}
        self._counts = dict.fromkeys([*virtual_channels, frame_format.idle_virtual_channel], 0)
        self._master_count = 0
        self._only_idle = OnlyIdleData()

    def put(self, virtual_channel: int, packets: bytes | Octets | Packets) -> None:
        """Queue whole packets end to end on a virtual channel.

        Raises FrameError if they are not whole packets, ConfigError for a channel that was not set up.
        """
        self._queue(virtual_channel).put(packets if isinstance(packets, Packets) else delimit(packets))

    @property
    def waiting_octets(self) -> int:
        """Octets of packets that are queued and not yet in a frame."""
        return sum(queue.waiting for queue in self._queues.values())

    def waiting_octets_of(self, virtual_channel: int) -> int:
        """Those of one virtual channel. Raises ConfigError for one that was not set up."""
        return self._queue(virtual_channel).waiting

    @property
    def waiting_frames(self) -> int:
        """Frames that it takes to send all that is queued."""
        return sum(queue.frames(self.frame_format.zone_octets) for queue in self._queues.values())

    def frames(self, n: int, ocf: bytes | Octets | None = None) -> Octets:
        """The next n frames, uint8 (n, length_octets); those that no packet waits for carry only idle data.

        ocf is the operational control field, 4 octets for all frames or uint8 (n, 4), if the format has one. Raises
        FrameError if it is missing, or there without need; no packet is lost then.
        """
        frame_format = self.frame_format
        frame_format.ocf_rows(ocf, n)
        zone_octets = frame_format.zone_octets
        zones = np.empty((n, zone_octets), np.uint8)
        pointers = np.full(n, ONLY_IDLE_DATA, np.int64)
        channels = np.full(n, frame_format.idle_virtual_channel, np.int64)
        counts = np.empty(n, np.int64)
        at = 0
        for channel, queue in self._queues.items():
            end = min(n, at + queue.frames(zone_octets))
            if end > at:
                missing = (end - at) * zone_octets - queue.octets
                if missing > 0:
                    queue.fill(self._idle_packet(missing))
                queue.take(zones[at:end], pointers[at:end])
                channels[at:end] = channel
                counts[at:end] = self._next_counts(channel, end - at)
                at = end
        zones[at:] = self._only_idle.take((n - at) * zone_octets).reshape(n - at, zone_octets)
        counts[at:] = self._next_counts(frame_format.idle_virtual_channel, n - at)
        built = frame_format.build(zones, channels, counts, pointers, master_count=self._master_count, ocf=ocf)
        self._master_count += n
        return built

    def _queue(self, virtual_channel: int) -> "_Queue":
        if virtual_channel not in self._queues:
            raise ConfigError(f"virtual channel: expected one of {list(self._queues)}, found {virtual_channel}")
        return self._queues[virtual_channel]

    def _next_counts(self, channel: int, n: int) -> NDArray[np.int64]:
        first = self._counts[channel]
        self._counts[channel] = (first + n) % self.frame_format.count_modulus
        return (first + np.arange(n)) % self.frame_format.count_modulus

    def _idle_packet(self, room: int) -> bytes:
        if self.frame_format.idle_packets == "encapsulation":
            return encapsulation_packet.idle_packet(room)
        return space_packet.idle_packet(max(room, space_packet.SMALLEST_PACKET))


class _Queue:
    """The stream of one virtual channel between what was put and what was taken. Positions count from its start."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, Octets]] = deque()
        self._starts: deque[NDArray[np.int64]] = deque()
        self._begin = self._end = self._fill_end = 0

    @property
    def octets(self) -> int:
        return self._end - self._begin

    @property
    def waiting(self) -> int:
        """Octets without the rest of an idle packet, which is never followed by nothing but more of its kind."""
        return self._end - max(self._begin, self._fill_end)

    def frames(self, zone_octets: int) -> int:
        """Frames that it takes to send all that waits; the rest of an idle packet alone is worth none."""
        return -(-self.octets // zone_octets) if self.waiting else 0

    def put(self, packets: Packets) -> None:
        if len(packets):
            self._pieces.append((self._end, packets.octets))
            self._starts.append(packets.fences[:-1] + self._end)
            self._end += len(packets.octets)

    def fill(self, idle_packet: bytes) -> None:
        octets = np.frombuffer(idle_packet, np.uint8)
        self.put(Packets(octets, np.array([0, len(octets)])))
        self._fill_end = self._end

    def take(self, zones: Octets, pointers: NDArray[np.int64]) -> None:
        """Move the next octets into zones, uint8 (n, zone_octets), and say where in each the first packet starts."""
        n, zone_octets = zones.shape
        begin = self._begin
        self._begin = end = begin + zones.size
        self._copy(begin, zones.reshape(-1))
        starts = self._starts_before(end)
        zone_starts = begin + zone_octets * np.arange(n)
        following = np.append(starts, end)[np.searchsorted(starts, zone_starts)]
        pointers[:] = np.where(following < zone_starts + zone_octets, following - zone_starts, NO_PACKET_STARTS)

    def _copy(self, begin: int, out: Octets) -> None:
        end = begin + len(out)
        at = begin
        while at < end:
            first, piece = self._pieces[0]
            stop = min(end, first + len(piece))
            out[at - begin : stop - begin] = piece[at - first : stop - first]
            at = stop
            if stop == first + len(piece):
                self._pieces.popleft()

    def _starts_before(self, end: int) -> NDArray[np.int64]:
        """Starts of packets before a position; they are forgotten."""
        taken = [np.zeros(0, np.int64)]
        while self._starts:
            starts = self._starts.popleft()
            cut = int(np.searchsorted(starts, end))
            taken.append(starts[:cut])
            if cut < len(starts):
                self._starts.appendleft(starts[cut:])
                break
        return np.concatenate(taken)
