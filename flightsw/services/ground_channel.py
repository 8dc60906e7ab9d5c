"""The ground link as both ends have to know it: frames, virtual channels, associations.

Files have a virtual channel of their own up the line: a telecommand that is sent again comes behind frames that were
protected after it, and one association would take it for a replay. Each way has two associations, one at work and one
for the key that comes after: so a key is replaced without a gap.

```
 up    TC frames with segment headers, whole packets in each, in CLTUs
       virtual channel 0: telecommands, type AD of COP-1; virtual channel 1: packets of files, type BD
 down  AOS or TM frames with CLCW and FECF, as CADUs without a code
       virtual channel 0: telemetry; virtual channel 1: packets of files
```
"""

from dataclasses import dataclass
from typing import Literal

from flightsw.ccsds.frame_formats import frame_format
from flightsw.ccsds.security.association import AssociationSettings, Kind
from flightsw.ccsds.transfer_frame import FrameFormat

#: Virtual channels, up and down.
COMMANDS, FILES_UP = 0, 1
TELEMETRY, FILES_DOWN = 0, 1
MAP = 0
#: Octets of a file in one PDU: its packet fits into the largest TC frame, segment header and security included.
SEGMENT_OCTETS = 950
#: W of FARM-1, and K of FOP-1, which may be half of it.
FARM_WINDOW = 20
FOP_WINDOW = FARM_WINDOW // 2
#: Ways that have a key of their own: telecommands, files up, all frames down.
WAYS = 3
#: Keys of one spacecraft: those to begin with, and those that come after.
KEYS = 2 * WAYS

Direction = Literal["send", "receive"]


@dataclass(frozen=True, slots=True)
class GroundChannel:
    """One spacecraft's channel.

    kind: of the frames down. first_key: of the association of telecommands; those of the files up and of all frames
    down have the two keys that follow, and three more wait for their turn. Associations are numbered as these keys.
    """

    spacecraft_id: int
    kind: Literal["aos", "tm"] = "aos"
    frame_octets: int = 1115
    first_key: int = 1

    def frames_down(self) -> FrameFormat:
        """Format of the frames down, security included. Raises ConfigError for what their standard does not allow."""
        return frame_format(self.kind, self.frame_octets, self.spacecraft_id, "crc16", ocf=True)

    def associations(self, on_board: bool) -> list[AssociationSettings]:
        """The associations of this channel, as the spacecraft has them or as the ground does."""
        up: Direction
        down: Direction
        up, down = ("receive", "send") if on_board else ("send", "receive")
        rows: list[tuple[Kind, Direction, tuple[int, ...]]] = [
            ("tc", up, (COMMANDS,)),
            ("tc", up, (FILES_UP,)),
            (self.kind, down, (TELEMETRY, FILES_DOWN)),
        ]
        return [
            AssociationSettings(
                spi=key,
                direction=direction,
                suite="AES-256-GCM",
                kind=kind,
                spacecraft_id=self.spacecraft_id,
                virtual_channels=channels,
                key_id=key,
                # a receiver that starts anew takes the very next frame: the ground's client comes and goes
                ahead=0 if direction == "receive" else None,
            )
            for key, (kind, direction, channels) in enumerate([*rows, *rows], self.first_key)
        ]
