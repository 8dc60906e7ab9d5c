"""What operators see of a terminal and ask of it: status, packets, events, functions, parameters; each declared once.

`flightsw.terminal` fills and obeys them, `flightsw.services.dictionary` gathers them with those of the services.
"""

from dataclasses import dataclass, field

from flightsw.pat.modes import CLOSED, Mode, Role, transitions
from flightsw.services.declarations import ALL_MODES, Item, PacketKind, ParameterKind, items_of, telemetered
from flightsw.services.events import EventKind, Severity
from flightsw.services.fault_protection import EVENTS as FAULT_EVENTS
from flightsw.services.fault_protection import ROW
from flightsw.services.pus.functions import function
from flightsw.settings import TerminalSettings

_MODES = tuple(mode.name for mode in Mode)
_ROLES = tuple(role.name for role in Role)
#: Why modes change, as the table of transitions has it, which is the same for all settings.
REASONS = tuple(dict.fromkeys(row.reason for row in transitions(TerminalSettings(spacecraft_id=0))))


@dataclass(slots=True)
class Status:
    """What the last frame measured and commanded, for telemetry."""

    mode: Mode = field(default=Mode.STANDBY, metadata=telemetered("u1", "", "mode of the terminal", _MODES))
    role: Role = field(default=Role.INITIATOR, metadata=telemetered("u1", "", "part in the search", _ROLES))
    scans: int = field(default=0, metadata=telemetered("u4", "", "scans begun since the start"))
    tones: int = field(default=0, metadata=telemetered("u1", "", "disturbance tones that the fine loop models"))
    lit: float = field(
        default=0.0, metadata=telemetered("f4", "", "share of the last frame's samples with light on the quad cell")
    )
    gimbal_azimuth: float = field(default=0.0, metadata=telemetered("f4", "rad", "gimbal encoder, azimuth"))
    gimbal_elevation: float = field(default=0.0, metadata=telemetered("f4", "rad", "gimbal encoder, elevation"))
    bias_x: float = field(default=0.0, metadata=telemetered("f4", "rad", "learnt pointing bias, cross-elevation"))
    bias_y: float = field(default=0.0, metadata=telemetered("f4", "rad", "learnt pointing bias, elevation"))
    mirror_x: float = field(
        default=0.0, metadata=telemetered("f4", "rad", "mean mirror command of the last frame, cross-elevation")
    )
    mirror_y: float = field(
        default=0.0, metadata=telemetered("f4", "rad", "mean mirror command of the last frame, elevation")
    )
    error_rms_x: float = field(
        default=0.0,
        metadata=telemetered("f4", "rad", "rms of the quad cell's error in the last frame, cross-elevation"),
    )
    error_rms_y: float = field(
        default=0.0, metadata=telemetered("f4", "rad", "rms of the quad cell's error in the last frame, elevation")
    )
    quad_power_w: float = field(
        default=0.0, metadata=telemetered("f4", "W", "mean light on the quad cell in the last frame")
    )
    spot_x: float = field(
        default=0.0, metadata=telemetered("f4", "rad", "last believed spot on the camera, cross-elevation")
    )
    spot_y: float = field(default=0.0, metadata=telemetered("f4", "rad", "last believed spot on the camera, elevation"))
    spot_snr: float = field(default=0.0, metadata=telemetered("f4", "", "peak of that spot over the noise"))
    range_m: float = field(default=0.0, metadata=telemetered("f4", "m", "expected range of the partner"))
    point_ahead_x: float = field(default=0.0, metadata=telemetered("f4", "rad", "point-ahead angle, cross-elevation"))
    point_ahead_y: float = field(default=0.0, metadata=telemetered("f4", "rad", "point-ahead angle, elevation"))
    faults: int = field(
        default=0,
        metadata=telemetered("u4", "", "faults that are there, a bit for each row of the table, row 0 lowest"),
    )
    faults_inhibited: int = field(
        default=0, metadata=telemetered("u4", "", "rows of the table of faults that are not watched, likewise")
    )


#: Number of the structure that service 3 reports from the start.
HOUSEKEEPING_STRUCTURE = 1
HOUSEKEEPING = PacketKind(
    "housekeeping",
    service=3,
    subtype=25,
    meaning="State of the terminal, ten times a second",
    items=items_of(Status),
    number=HOUSEKEEPING_STRUCTURE,
)
FINE_SAMPLES = PacketKind(
    "fine_samples",
    service=3,
    subtype=26,
    meaning="Samples of the fine loop, a tenth of a second in each packet",
    items=(
        Item("error_x", "f4", "rad", "error on the quad cell, cross-elevation"),
        Item("error_y", "f4", "rad", "error on the quad cell, elevation"),
        Item("mirror_x", "f4", "rad", "mirror command, cross-elevation"),
        Item("mirror_y", "f4", "rad", "mirror command, elevation"),
        Item("power_w", "f4", "W", "light on the quad cell"),
    ),
    number=2,
    repeat=0,
)
PACKETS = (HOUSEKEEPING, FINE_SAMPLES)

MODE_CHANGE = EventKind(
    1,
    "MODE_CHANGE",
    Severity.INFO,
    "{source} -> {target}: {reason}",
    (
        Item("source", "u1", "", "mode that was left", _MODES),
        Item("target", "u1", "", "mode that was entered", _MODES),
        Item("reason", "u1", "", "guard of the transition", REASONS),
    ),
)
LIGHT_REFUSED = EventKind(
    2,
    "LIGHT_REFUSED",
    Severity.LOW,
    "light at ({x_urad:.0f}, {y_urad:.0f}) urad cannot be the partner's answer",
    (
        Item("x_urad", "f4", "urad", "where it was on the camera, cross-elevation"),
        Item("y_urad", "f4", "urad", "where it was on the camera, elevation"),
    ),
)
TONES_IDENTIFIED = EventKind(
    3,
    "TONES_IDENTIFIED",
    Severity.INFO,
    "new gains, for {tones} tones of the disturbance",
    (Item("tones", "u1", "", "how many; an event of each follows"),),
)
TONE = EventKind(
    4,
    "TONE",
    Severity.INFO,
    "{frequency_hz:.1f} Hz, {rms_urad:.2f} urad rms",
    (Item("frequency_hz", "f4", "Hz", "its frequency"), Item("rms_urad", "f4", "urad", "its rms")),
)
FRAME_FAILED = EventKind(
    5,
    "FRAME_FAILED",
    Severity.HIGH,
    "the flight software failed in a frame: {what}",
    (Item("what", "text", "", "the exception, and where it was raised"),),
)
EVENTS = (MODE_CHANGE, LIGHT_REFUSED, TONES_IDENTIFIED, TONE, FRAME_FAILED, *FAULT_EVENTS)

ACQUIRE = function(
    1,
    "ACQUIRE",
    "Search for the partner and track it",
    (Item("role", "u1", "", "part in the search", ("AS_PLANNED", *_ROLES)),),
    frozenset({Mode.STANDBY}),
)
STANDBY = function(2, "STANDBY", "Stop the link and wait; nothing else leaves SAFE", (), ALL_MODES)
SAFE = function(3, "SAFE", "Go to SAFE at once", (), ALL_MODES)
LEARN_TONES = function(4, "LEARN_TONES", "Collect the disturbance anew for its tones", (), CLOSED)
FAULT_INHIBIT = function(
    5, "FAULT_INHIBIT", "Watch a row of the table of faults no more; not one that guards the laser", (ROW,), ALL_MODES
)
FAULT_ENABLE = function(6, "FAULT_ENABLE", "Watch a row of the table of faults again", (ROW,), ALL_MODES)
FUNCTIONS = (ACQUIRE, STANDBY, SAFE, LEARN_TONES, FAULT_INHIBIT, FAULT_ENABLE)

_MOST_BIAS = 1e-3
BIAS_X = ParameterKind(
    0x101,
    Item(
        "pointing_bias_x",
        "f4",
        "rad",
        "pointing bias, cross-elevation, that a search begins with",
        lowest=-_MOST_BIAS,
        highest=_MOST_BIAS,
    ),
    default=0.0,
    survives=True,
)
BIAS_Y = ParameterKind(
    0x102,
    Item(
        "pointing_bias_y",
        "f4",
        "rad",
        "pointing bias, elevation, that a search begins with",
        lowest=-_MOST_BIAS,
        highest=_MOST_BIAS,
    ),
    default=0.0,
    survives=True,
)
TONE_LEARNING = ParameterKind(
    0x103,
    Item("tone_learning", "u1", "", "whether new gains are made for the tones of the disturbance", ("OFF", "ON")),
    default=1,
    survives=False,
)
COMMAND_LOSS_TIME = ParameterKind(
    0x104,
    Item("command_loss_time", "u4", "s", "time without a word from the ground that leads to SAFE, 0 for never"),
    default=604_800,
    survives=True,
)
PARAMETERS = (BIAS_X, BIAS_Y, TONE_LEARNING, COMMAND_LOSS_TIME)
