"""The reference frames that an ephemeris product may be given in (CCSDS 502.0-B-3, 3.2.3.3).

Navigation needs inertial axes and an Earth centre, and the same axes for both ends of a link; it rotates none into
another. Precession has carried TEME and TOD by more than 5 mrad from J2000 since 2000, tens of km along a low orbit.
"""

from flightsw.errors import ConfigError

# ICRF, GCRF and EME2000 agree to 23 mas (0.11 urad), below a metre in low orbit. TEME and TOD differ by the equation of
# the equinoxes, up to some 80 urad.
_AXES = {"EME2000": "J2000", "J2000": "J2000", "GCRF": "J2000", "ICRF": "J2000", "TEME": "TEME", "TOD": "TOD"}

INERTIAL_FRAMES = tuple(sorted(_AXES))


def require_same_axes(own_frame: str, partner_frame: str) -> None:
    """Raise ConfigError unless both frames are inertial and share their axes to 0.2 urad."""
    for frame in (own_frame, partner_frame):
        if frame not in _AXES:
            raise ConfigError(
                f"ephemeris: expected an inertial frame out of {', '.join(INERTIAL_FRAMES)}, found {frame!r}"
            )
    if _AXES[own_frame] != _AXES[partner_frame]:
        raise ConfigError(
            f"ephemerides of the two terminals: expected one frame for both, found {own_frame} and {partner_frame}; "
            "convert one product to the frame of the other"
        )
