"""The ground for orientation: outlines of land, points below satellites, tracks of links cut at the date line.

Maps are equirectangular: x is longitude, y latitude, in deg. The latitude is that of the direction from Earth's centre;
geodetic latitude differs by 0.2 deg at most, less than a map shows.
"""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Points of the track of a link.
_POINTS = 9


def land() -> list[Floats]:
    """Outlines of land, each (n, 2) longitude and latitude in deg."""
    lines = files("hil.mesh_report").joinpath("land.txt").read_text(encoding="ascii").splitlines()
    return [
        np.array([point.split() for point in line.split(",")], np.float64) for line in lines if not line.startswith("#")
    ]


def below(position: NDArray[np.floating]) -> Floats:
    """Longitude, -180 to 180, and latitude in deg (..., 2) below Earth-fixed positions (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(position, np.float64), -1, 0)
    return np.stack((np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))), axis=-1)


def tracks(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """What lies below the straight lines from `a` (n, 3) to `b` (n, 3), Earth-fixed: longitude, latitude in deg (m, 2).

    One line after the other with a row of NaN between them. A line that crosses the date line is cut there: its parts
    end on one edge of the map and go on from the other.
    """
    along = np.linspace(0.0, 1.0, _POINTS)[:, np.newaxis]
    return cut(below(np.asarray(a)[:, np.newaxis] * (1.0 - along) + np.asarray(b)[:, np.newaxis] * along))


def cut(lines: Floats) -> Floats:
    """Lines (n, points, 2) one after the other (m, 2), a row of NaN behind each and where it crosses the date line."""
    padded = np.full((len(lines), lines.shape[1] + 1, 2), np.nan)
    padded[:, :-1] = lines
    flat = padded.reshape(-1, 2)
    turn = np.diff(flat[:, 0])
    jump = np.flatnonzero(np.abs(turn) > 180.0)
    before, after = flat[jump], flat[jump + 1]
    edge = np.copysign(180.0, before[:, 0])
    # at the edge, of a way that goes on beyond it instead of back around the globe
    way = after[:, 0] + 2.0 * edge - before[:, 0]
    latitude = before[:, 1] + (edge - before[:, 0]) / way * (after[:, 1] - before[:, 1])
    ends = np.stack(
        (np.column_stack((edge, latitude)), np.full((len(jump), 2), np.nan), np.column_stack((-edge, latitude))), axis=1
    )
    return np.insert(flat, np.repeat(jump + 1, 3), ends.reshape(-1, 2), axis=0)
