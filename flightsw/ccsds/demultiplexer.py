"""Transfer frames into packets: CCSDS 132.0-B-3 4.3.2 to 4.3.4, 732.0-B-4 4.3.2 to 4.3.5, 732.1-B-3 4.3.2 to 4.3.6.

A jump of a virtual channel's frame count tells that frames are missing: the packet under way is dropped, and the next
first header pointer says where packets begin again. Where a whole round of the frame count is lost (256 frames in TM),
it shows by the pointer that disagrees with the packet's length, as any other contradiction does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.packets import PacketExtractor, Packets
from flightsw.ccsds.transfer_frame import ONLY_IDLE_DATA, FrameFormat, FrameStatus, Octets
from flightsw.errors import ConfigError

# A count that is behind by less than this part of its range was seen before; otherwise the count ran on, over a loss.
_PAST_PART = 16


@dataclass(frozen=True, slots=True)
class DemultiplexerCounts:
    """Frames since the start.

    frames: all. failed_checks: with a wrong frame error control field. unexpected_headers: not as managed.
    other_channels: good, on a virtual channel that is not wanted. only_idle: good, without packets.
    corrected_headers: with a header that its error control field corrected.
    """

    frames: int = 0
    failed_checks: int = 0
    unexpected_headers: int = 0
    other_channels: int = 0
    only_idle: int = 0
    corrected_headers: int = 0


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """Frames and packets of one virtual channel since the start.

    frames: good ones. lost_frames: missing by the frame count. steps_back: frames whose count was seen just before.
    packets: given back. idle_packets: left out. dropped_packets: begun, but not received to their end.
    contradictions: places where a packet's length and the first header pointer disagree, or where no packet is.
    """

    frames: int
    lost_frames: int
    steps_back: int
    packets: int
    idle_packets: int
    dropped_packets: int
    contradictions: int


class Demultiplexer:
    """Takes the packets of each virtual channel out of the frames of one physical channel. Noise is counted."""

    def __init__(self, frame_format: FrameFormat, virtual_channels: Iterable[int] | None = None) -> None:
        """Set up for some virtual channels, or for all. Raise ConfigError for one that is not possible."""
        possible = range(frame_format.virtual_channels)
        wanted = possible if virtual_channels is None else sorted(set(virtual_channels))
        if any(channel not in possible for channel in wanted):
            raise ConfigError(
                f"{frame_format.kind} virtual channels: expected 0 to {len(possible) - 1}, found {list(wanted)}"
            )
        self.frame_format = frame_format
        self.counts = DemultiplexerCounts()
        self._channels = {channel: _Channel(frame_format.count_modulus) for channel in wanted}

    def channel_counts(self, virtual_channel: int) -> ChannelCounts:
        """Totals of one virtual channel. Raises ConfigError for one that is not wanted."""
        if virtual_channel not in self._channels:
            raise ConfigError(f"virtual channel: expected one of {list(self._channels)}, found {virtual_channel}")
        return self._channels[virtual_channel].counts

    def push(self, frames: Octets) -> dict[int, Packets]:
        """Take in the next frames, uint8 (n, length_octets), damaged ones among them or left out.

        Returns for each virtual channel that has any the whole packets that these frames complete, without idle ones.
        Raises FrameError for any other shape or type.
        """
        fields = self.frame_format.read(frames)
        good = fields.status == FrameStatus.GOOD
        idle = fields.pointer == ONLY_IDLE_DATA
        wanted = good & np.isin(fields.virtual_channel, list(self._channels))
        self.counts = DemultiplexerCounts(
            frames=self.counts.frames + len(frames),
            failed_checks=self.counts.failed_checks + int(np.sum(fields.status == FrameStatus.CHECK_FAILED)),
            unexpected_headers=self.counts.unexpected_headers
            + int(np.sum(fields.status == FrameStatus.HEADER_UNEXPECTED)),
            other_channels=self.counts.other_channels + int(np.sum(good & ~wanted & ~idle)),
            only_idle=self.counts.only_idle + int(np.sum(good & idle)),
            corrected_headers=self.counts.corrected_headers + int(np.sum(good & (fields.corrected > 0))),
        )
        packets = {}
        for channel in np.unique(fields.virtual_channel[wanted]).tolist():
            rows = np.flatnonzero(wanted & (fields.virtual_channel == channel))
            found = self._channels[channel].push(fields.count[rows], fields.pointer[rows], fields.zones, rows)
            if len(found):
                packets[channel] = found
        return packets


class _Channel:
    """One virtual channel: watches the frame count."""

    def __init__(self, count_modulus: int) -> None:
        self._modulus = count_modulus
        self._last_count: int | None = None
        self._loss_ahead = False
        self._frames = self._lost_frames = self._steps_back = 0
        self._extractor = PacketExtractor()

    @property
    def counts(self) -> ChannelCounts:
        packets = self._extractor.counts
        return ChannelCounts(
            self._frames,
            self._lost_frames,
            self._steps_back,
            packets.packets,
            packets.idle_packets,
            packets.dropped_packets,
            packets.contradictions,
        )

    def push(
        self, count: NDArray[np.int64], pointer: NDArray[np.int64], zones: Octets, rows: NDArray[np.int64]
    ) -> Packets:
        """Take in the frames of this channel: their counts and pointers (n,), and which rows of zones are theirs."""
        before = np.empty_like(count)
        before[1:] = count[:-1]
        before[0] = (count[0] - 1) % self._modulus if self._last_count is None else self._last_count
        self._last_count = int(count[-1])
        missing = (count - before - 1) % self._modulus
        past = (before - count) % self._modulus < self._modulus // _PAST_PART
        self._frames += len(count)
        self._steps_back += int(np.sum(past))
        self._lost_frames += int(np.sum(missing[~past]))
        # Idle frames are no part of the stream of packets, but a loss ahead of one is a loss in that stream.
        losses = np.cumsum(missing != 0) + self._loss_ahead
        carriers = pointer != ONLY_IDLE_DATA
        losses_before = np.concatenate([[0], losses[carriers]])
        self._loss_ahead = bool(losses[-1] > losses_before[-1])
        return self._extractor.push(zones[rows[carriers]], pointer[carriers], losses_before[1:] > losses_before[:-1])
