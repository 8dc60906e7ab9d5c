"""An encoder board in a link: transfer frames go to it over its line, and come back as octets for the optical one.

```
 without an interleaver   frames --> board: block code, randomizer, sync marker --> line
 with one                 frames --> board: block code, randomizer --> interleaver --> sync marker --> line
```

As all codes of the board are systematic, a codeblock begins with the frame that it was made of: whatever is lost on the
way, and in whatever order the rest comes, each codeblock goes to its own place and to no other.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds.coding import Randomizer, cadu
from flightsw.ccsds.interleaver import Interleaver
from flightsw.ccsds.link import interleaver_span, require_frames
from flightsw.ccsds.profile import CodingProfile, LinkProfile
from flightsw.errors import ConfigError, DeviceTimeout, ProtocolError
from hdl.registers import Register, control
from hdl.verilated import MARKER, parameters_of
from hil.drivers.attachment import Attachment
from hil.parts import Joiner, split
from hil.protocol import Data, Identity

Octets = NDArray[np.uint8]

#: How long a board that has frames may say nothing.
PATIENCE_S = 1.0

#: The largest packet that a board takes, with 2,028 octets of a frame in it.
_PART_OCTETS = 2028
#: Reads that bring no part of a codeblock until the line is silent: more than a part has octets, which may come one by
#: one. Counted and not timed, so that a replay decides as the run did.
_QUIET_READS = 300
#: Fields of CAPABILITIES: all that are of the block code, and two of them.
_BLOCK_CODE, _DUAL, _LDPC_C2 = 0x03FF_FF00, 1 << 24, 1 << 25


class BoardEncoder:
    """The sending side of a link, as `flightsw.ccsds.link.LinkEncoder`, with an `encoder` device that codes the frames.

    The interleaver is beamlock's own, and Python's, and so is what is behind it. A frame that does not come back is
    sent once more; if it is lost again, or with the board, the line carries zeros for as long as it would have taken.

    Attributes:
        lost: frames that were lost.
    """

    def __init__(self, profile: LinkProfile, line_rate_hz: float | None, attachment: Attachment) -> None:
        """`attachment` is in service.

        Raises ConfigError for coding that the board does not have, and as LinkEncoder; DeviceError and ProtocolError as
        DeviceLink.
        """
        coding = profile.coding
        code = coding.block_code()
        self.profile = profile
        self.lost = 0
        self._attachment = attachment
        self._link = attachment.link
        self.codeblock_octets = profile.frame.length_octets if code is None else code.n_out
        self.unit_octets = self.codeblock_octets + len(MARKER)
        self._require(coding)
        self._randomizer = None if coding.randomizer == "none" else Randomizer(coding.randomizer)
        self._interleaver: Interleaver | None = None
        if coding.interleaver_ms:
            span = interleaver_span(profile, line_rate_hz, self.unit_octets)
            self._interleaver = Interleaver(self.codeblock_octets, span)
        self._control = control(
            crc=False, code=code is not None, randomizer=coding.randomizer, marker=self._interleaver is None
        )
        self._joiner = Joiner(self.unit_octets)
        self._room = 0
        self._told: Identity | None = None
        self._tell()

    @property
    def line_octets_per_frame(self) -> float:
        """Octets of the line that one transfer frame takes."""
        return float(self.unit_octets)

    def encode(self, frames: Octets) -> Octets:
        """Octets of the line, (m,), for frames uint8 (n, length). Raises FrameError for frames of another length."""
        require_frames(frames, self.profile.frame.length_octets)
        if self._interleaver is None:
            return self._pass(frames, self.unit_octets).reshape(-1)
        return cadu(self._interleaver.push(self._pass(frames, self.codeblock_octets)), MARKER).reshape(-1)

    def flush(self) -> Octets:
        """What is still under way in the interleaver."""
        if self._interleaver is None:
            return np.zeros(0, np.uint8)
        return cadu(self._interleaver.flush(), MARKER).reshape(-1)

    def _pass(self, frames: Octets, octets: int) -> Octets:
        """What the board makes of frames, uint8 (n, octets)."""
        batch = _Batch(frames, self._beginnings(frames), octets)
        while batch.unfinished and self._attachment.in_service:
            self._attachment.ask(lambda: self._turn(batch))
        self.lost += batch.missing
        return batch.coded

    def _beginnings(self, frames: Octets) -> Octets:
        """What the octets that the board makes of each frame begin with."""
        randomized = frames if self._randomizer is None else self._randomizer.apply(frames)
        return randomized if self._interleaver is not None else cadu(randomized, MARKER)

    def _turn(self, batch: "_Batch") -> None:
        """Send what the board has room for, and wait for a codeblock.

        Raises ProtocolError if something is refused, DeviceTimeout if there is none: what is inside then failed.
        """
        # since it was opened anew it may be another one
        known = self._told is self._link.identity
        frames = batch.to_send(max(1, self._room // self.profile.frame.length_octets) if known else 1)
        try:
            if not known:
                self._tell()
            for frame in frames:
                for flags, part in split(frame, _PART_OCTETS):
                    self._link.post(Data(flags, part))
            # of so few parts is a codeblock made, if they have an octet each
            for _ in range(self.unit_octets if batch.inside else 0):
                self._await_part()
                if self._take(batch):
                    return
        except (DeviceTimeout, ProtocolError):
            batch.fail()
            # somebody may have pressed its reset
            self._told = None
            raise
        batch.fail()

    def _await_part(self) -> None:
        for _ in range(_QUIET_READS):
            came = self._link.poll(PATIENCE_S / _QUIET_READS)
            # when the board says it first, there is nothing but this part in its buffer
            if not self._room and self._link.room is not None:
                self._room = self._link.room + min(self.profile.frame.length_octets, _PART_OCTETS)
            if came:
                return
        raise DeviceTimeout(
            f"{self._link.name}: expected octets of a codeblock within {PATIENCE_S:g} s, found none: reset the board"
        )

    def _take(self, batch: "_Batch") -> bool:
        """Take in what has come; returns whether there was a codeblock of the batch."""
        found = False
        samples = self._link.samples
        while samples:
            sequence, flags, octets = samples.popleft().samples
            whole = self._joiner.push(flags, octets, sequence)
            found = (whole is not None and batch.put(whole)) or found
        return found

    def _tell(self) -> None:
        """Load the settings of this profile into a board that is new, or as good as new."""
        identity = self._link.identity
        if self._link.room is None:
            self._room = 0
        self._link.write(Register.CONTROL, self._control)
        self._told = identity

    def _require(self, coding: CodingProfile) -> None:
        """Raise ConfigError unless the board has the block code of a profile."""
        parameters = parameters_of(coding)
        if coding.convolutional != "none":
            raise ConfigError(
                f"{self._link.name}: expected coding.convolutional none, found {coding.convolutional}: a frame that is "
                "lost would break the code's stream, so a board makes none; use the encoder rtl or python"
            )
        if coding.block == "none":
            return
        wanted = _LDPC_C2
        if coding.block == "rs":
            dual = _DUAL if parameters["DUAL_BASIS"] else 0
            wanted = parameters["E"] << 8 | parameters["INTERLEAVE"] << 16 | dual
        has, octets = self._link.read(Register.CAPABILITIES), self._link.read(Register.CODEBLOCK_OCTETS)
        if (has & _BLOCK_CODE, octets) != (wanted, self.codeblock_octets):
            raise ConfigError(
                f"{self._link.name}: expected {_code(wanted, self.codeblock_octets)}, as the profile has it, found "
                f"{_code(has, octets)}: load another bitstream, or take a profile that fits"
            )


class _Batch:
    """Frames on their way through a board. Each may fail once and is sent again; equal ones are sent as one.

    Attributes:
        coded: what has come back, uint8 (n, octets), zeros where nothing has.
        inside: frames that were sent and have neither come back nor failed, each by what it begins with once coded.
    """

    def __init__(self, frames: Octets, beginnings: Octets, octets: int) -> None:
        self.coded = np.zeros((len(frames), octets), np.uint8)
        self.inside: deque[bytes] = deque()
        self._beginning = beginnings.shape[1]
        self._frames: dict[bytes, bytes] = {}
        self._places: dict[bytes, list[int]] = {}
        for n, (row, frame) in enumerate(zip(beginnings, frames, strict=True)):
            beginning = row.tobytes()
            self._frames[beginning] = frame.tobytes()
            self._places.setdefault(beginning, []).append(n)
        self._waiting = deque(self._frames)
        self._failed: set[bytes] = set()

    @property
    def unfinished(self) -> bool:
        """Whether there is anything to send or to wait for."""
        return bool(self._waiting or self.inside)

    @property
    def missing(self) -> int:
        """Frames that have not come back."""
        return sum(map(len, self._places.values()))

    def to_send(self, largest: int) -> list[bytes]:
        """The next frames to send, so that `largest` are inside."""
        frames = []
        while self._waiting and len(self.inside) < largest:
            beginning = self._waiting.popleft()
            # what failed may have come since
            if beginning in self._places:
                self.inside.append(beginning)
                frames.append(self._frames[beginning])
        return frames

    def put(self, whole: bytes) -> bool:
        """Put a codeblock where it belongs; returns whether it belongs anywhere.

        A board keeps the order: what was sent before it and has not come has failed.
        """
        beginning = whole[: self._beginning]
        if len(whole) != self.coded.shape[1] or beginning not in self._places:
            return False
        self.coded[self._places.pop(beginning)] = np.frombuffer(whole, np.uint8)
        if beginning in self.inside:
            self.fail(self.inside.index(beginning))
            self.inside.popleft()
        return True

    def fail(self, count: int | None = None) -> None:
        """So many of those inside, from the oldest on, or all, have failed."""
        for _ in range(len(self.inside) if count is None else count):
            beginning = self.inside.popleft()
            if beginning not in self._failed:
                self._failed.add(beginning)
                self._waiting.append(beginning)


def _code(capabilities: int, codeblock_octets: int) -> str:
    """A board's block code, for people."""
    if capabilities & _LDPC_C2:
        return f"ldpc-c2 with codeblocks of {codeblock_octets} octets"
    e, interleave = capabilities >> 8 & 0xFF, capabilities >> 16 & 0xFF
    basis = "dual" if capabilities & _DUAL else "conventional"
    return f"rs with e {e}, interleave {interleave}, {basis} basis and codeblocks of {codeblock_octets} octets"
