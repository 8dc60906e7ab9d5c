"""Security of TM, AOS and USLP frames, many at once: CCSDS 355.0-B-2 with 132.0-B-3, 732.0-B-4 and 732.1-B-3.

```
 header | data field       | OCF          as a multiplexer builds it, the frame error control field left out
 header | SPI | number | data field | MAC | OCF | FECF          as it goes to the coder
```

The header is that of the frame with its error control field (AOS) or its frame count (USLP); first header pointers of
AOS and all of USLP's data field header belong to the data field, and are secret where that is. Of the header, the
authentication bit mask keeps the virtual channel, in USLP the MAP as well: other fields may be changed on the way, and
are not authenticated. Neither is the operational control field. All virtual channels of a physical channel are
protected, save that of AOS and USLP which has only idle data (63): its frames are lengthened. A
receiver drops them in any case, so nothing depends on what the other end does with them.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds import aos_frame, tm_frame, uslp_frame
from flightsw.ccsds.coding.crc import crc16_rows, crc32_rows
from flightsw.ccsds.frame_header_error_control import correct
from flightsw.ccsds.header_rows import HeaderRows
from flightsw.ccsds.security.association import Associations, Kind, SecurityAssociation, Verdict
from flightsw.ccsds.transfer_frame import FECF_OCTETS, OCF_OCTETS, ONLY_IDLE_DATA, FrameFormat, Octets
from flightsw.errors import ConfigError, FrameError

_HEADERS = {
    "tm": HeaderRows(tm_frame.HEADER),
    "aos": HeaderRows(aos_frame.HEADER),
    "uslp": HeaderRows(uslp_frame.HEADER),
}
_DATA_FIELD_HEADER_OCTETS = {
    "tm": 0,
    "aos": aos_frame.PDU_HEADER_OCTETS,
    "uslp": uslp_frame.DATA_FIELD_HEADER.sizeof() + uslp_frame.POINTER_OCTETS,
}
_VERSIONS = {"tm": 0, "aos": 1, "uslp": 12}
_USLP_LENGTH = slice(4, 6)
_MAP_BITS = 4
_IDLE = -1

_Rows = slice | NDArray[np.bool_]


class Processed(NamedTuple):
    """Frames that were accepted, uint8 (m, inner length), and the Verdict on each received one, uint8 (n,)."""

    frames: Octets
    verdicts: Octets


class FrameSecurity:
    """One physical channel, either way.

    Attributes:
        inner: format of the frames without security and frame error control field, for multiplexer and demultiplexer.
        counts: received frames of each Verdict.
    """

    def __init__(self, outer: FrameFormat, associations: Associations) -> None:
        """`outer` is the format on the channel.

        Raises ConfigError if there is no association for it, or if they differ in the octets that they add.
        """
        self.outer = outer
        self._kind: Kind = outer.kind.lower()  # type: ignore[assignment]
        self._associations = associations
        overheads = {each.settings.overhead_octets for each in associations.of(self._kind, outer.spacecraft_id)}
        if len(overheads) != 1:
            raise ConfigError(
                f"{outer.kind} associations of spacecraft {outer.spacecraft_id}: expected that all add as many "
                f"octets, found {sorted(overheads) or 'none'}"
            )
        self._overhead = overheads.pop()
        self._contents_octets = outer.length_octets - FECF_OCTETS[outer.fecf]
        self.inner = replace(outer, length_octets=self._contents_octets - self._overhead, fecf="none")
        self._header = _HEADERS[self._kind]
        self._at = outer.header_octets - _DATA_FIELD_HEADER_OCTETS[self._kind]
        self._ocf_octets = OCF_OCTETS if outer.ocf else 0
        names = ("virtual_channel", "map_id") if self._kind == "uslp" else ("virtual_channel",)
        self._mask = np.zeros(self._at, np.uint8)
        self._mask[: self._header.octets] = self._header.mask(*names)
        self.counts = dict.fromkeys(Verdict, 0)

    def apply(self, frames: Octets) -> Octets:
        """Protected frames, uint8 (n, outer length), of frames of the inner format, uint8 (n, inner length).

        Raises FrameError for another shape or type, ConfigError where no association is operational for a channel.
        """
        if frames.ndim != 2 or frames.shape[1] != self.inner.length_octets or frames.dtype != np.uint8:
            raise FrameError(
                f"{self.outer.kind} frames to protect",
                expected=f"uint8 (n, {self.inner.length_octets})",
                found=f"{frames.dtype} {frames.shape}",
            )
        protected = np.empty((len(frames), self.outer.length_octets), np.uint8)
        contents = protected[:, : self._contents_octets]
        self._copy_around(frames, contents)
        channels, maps = self._channels(frames)
        idle = self._only_idle(channels)
        codes = np.where(idle, _IDLE, channels << _MAP_BITS | maps)
        # all rows of an association at once, and in their order: its numbers only ever rise
        codes_of: dict[SecurityAssociation, list[int]] = {}
        for code in np.unique(codes[~idle]).tolist():
            map_id = code % (1 << _MAP_BITS) if self._kind == "uslp" else None
            sender = self._associations.sender(self._kind, self.outer.spacecraft_id, code >> _MAP_BITS, map_id)
            codes_of.setdefault(sender, []).append(code)
        for sender, its in codes_of.items():
            self._seal(sender, frames, _rows(np.isin(codes, its)), contents)
        if idle.any():
            contents[idle] = self._lengthened(frames[idle])
        if self.outer.fecf == "crc16":
            protected[:, -2:] = crc16_rows(contents).astype(">u2").view(np.uint8).reshape(-1, 2)
        elif self.outer.fecf == "crc32":
            protected[:, -4:] = crc32_rows(contents).astype(">u4").view(np.uint8).reshape(-1, 4)
        return protected

    def process(self, frames: Octets) -> Processed:
        """Check received frames, uint8 (n, outer length), and take their security off.

        Nothing about a frame raises an error. Raises FrameError for what is not an array of octets, ConfigError if it
        cannot be kept that the accepted ones were seen.
        """
        if frames.ndim != 2 or frames.dtype != np.uint8:
            raise FrameError("protected frames", expected="uint8 (n, length)", found=f"{frames.dtype} {frames.shape}")
        verdicts = np.full(len(frames), Verdict.BAD_LENGTH, np.uint8)
        inner = np.empty((len(frames), self.inner.length_octets), np.uint8)
        if frames.shape[1] == self.outer.length_octets:
            self._process(frames, inner, verdicts)
        for verdict, count in zip(*np.unique(verdicts, return_counts=True), strict=True):
            self.counts[Verdict(verdict)] += int(count)
        return Processed(inner[_rows(verdicts == Verdict.ACCEPTED)], verdicts)

    def _process(self, frames: Octets, inner: Octets, verdicts: Octets) -> None:
        verdicts[:] = Verdict.UNKNOWN_SPI
        if getattr(self.outer, "header_error_control", False):
            frames = np.concatenate([correct(frames[:, : self._at])[0], frames[:, self._at :]], axis=1)
        contents = frames[:, : self._contents_octets]
        channels, maps = self._channels(frames)
        spis = frames[:, self._at].astype(np.int64) << 8 | frames[:, self._at + 1]
        ours = self._header.unpack(frames, "version") == _VERSIONS[self._kind]
        ours &= self._header.unpack(frames, "spacecraft_id") == self.outer.spacecraft_id
        for receiver in self._associations.of(self._kind, self.outer.spacecraft_id):
            settings = receiver.settings
            if settings.direction == "receive":
                covered = np.isin(channels, settings.virtual_channels)
                if settings.map_ids is not None:
                    covered &= np.isin(maps, settings.map_ids)
                known = spis == settings.spi
                verdicts[known] = np.where(covered & ours, Verdict.ACCEPTED, Verdict.WRONG_CHANNEL)[known]
        verdicts[self._only_idle(channels) & ours] = Verdict.NOT_PROTECTED
        if self.outer.fecf != "none":
            wrong = (crc16_rows(frames) if self.outer.fecf == "crc16" else crc32_rows(frames)) != 0
            verdicts[wrong] = Verdict.BAD_CHECK
        self._copy_around(contents, inner)
        for spi in np.unique(spis[verdicts == Verdict.ACCEPTED]).tolist():
            chosen = (verdicts == Verdict.ACCEPTED) & (spis == spi)
            self._open(self._associations[spi], contents, chosen, inner, verdicts)

    def _seal(self, sender: SecurityAssociation, frames: Octets, chosen: _Rows, contents: Octets) -> None:
        plain = frames[chosen]
        fields = sender.apply(self._prefixes(plain), _cut(self._field(plain)))
        self._field(contents)[chosen] = np.frombuffer(b"".join(fields), np.uint8).reshape(len(plain), -1)

    def _open(
        self,
        receiver: SecurityAssociation,
        contents: Octets,
        chosen: NDArray[np.bool_],
        inner: Octets,
        verdicts: Octets,
    ) -> None:
        received = contents[_rows(chosen)]
        results = receiver.process(self._prefixes(received), _cut(self._field(received)))
        verdicts[chosen] = [each if isinstance(each, Verdict) else Verdict.ACCEPTED for each in results]
        data = [each for each in results if not isinstance(each, Verdict)]
        if data:
            accepted = _rows(chosen & (verdicts == Verdict.ACCEPTED))
            self._field(inner)[accepted] = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)

    def _field(self, frames: Octets) -> Octets:
        """What stands between header and operational control field, in frames without frame error control field."""
        return frames[:, self._at : frames.shape[1] - self._ocf_octets]

    def _copy_around(self, frames: Octets, to: Octets) -> None:
        """Header and operational control field; a header that says how long its frame is, says so of the new one."""
        to[:, : self._at] = frames[:, : self._at]
        if self._ocf_octets:
            to[:, -self._ocf_octets :] = frames[:, -self._ocf_octets :]
        if self._kind == "uslp":
            format_of_it = self.inner if to.shape[1] == self.inner.length_octets else self.outer
            to[:, _USLP_LENGTH] = np.frombuffer((format_of_it.length_octets - 1).to_bytes(2, "big"), np.uint8)

    def _lengthened(self, frames: Octets) -> Octets:
        """Frames of only idle data, as long as the protected ones."""
        fields = self.inner.read(frames)
        zones = np.concatenate([fields.zones, np.zeros((len(frames), self._overhead), np.uint8)], axis=1)
        built = self.outer.build(zones, fields.virtual_channel, fields.count, ONLY_IDLE_DATA, ocf=fields.ocf)
        return built[:, : self._contents_octets]

    def _prefixes(self, frames: Octets) -> list[bytes]:
        return _cut(frames[:, : self._at] & self._mask)

    def _channels(self, frames: Octets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        channels = self._header.unpack(frames, "virtual_channel")
        maps = self._header.unpack(frames, "map_id") if self._kind == "uslp" else np.zeros_like(channels)
        return channels, maps

    def _only_idle(self, channels: NDArray[np.int64]) -> NDArray[np.bool_]:
        if self.outer.idle_channel_carries_packets:
            return np.zeros(len(channels), np.bool_)
        idle: NDArray[np.bool_] = channels == self.outer.idle_virtual_channel
        return idle


def _cut(rows: Octets) -> list[bytes]:
    octets, length = rows.tobytes(), rows.shape[1]
    return [octets[at : at + length] for at in range(0, len(octets), length)]


def _rows(chosen: NDArray[np.bool_]) -> _Rows:
    # all rows by a slice are a view, and nothing is copied
    return slice(None) if chosen.all() else chosen
