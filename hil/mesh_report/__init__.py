"""The report of a mesh: one self-contained HTML page, and one beside it with the network in motion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.mesh_scenario import MeshScenario
from sim.network.record import MeshRecord

REPORT, ANIMATION = "report.html", "animation.html"


def write_report(folder: Path, record: MeshRecord, summary: Mapping[str, Any], scenario: MeshScenario) -> Path:
    """Write `report.html` and `animation.html` into the folder of a simulation; return the path of the first.

    Raises ConfigError if they cannot be written.
    """
    from flightsw.errors import ConfigError
    from hil.mesh_report.animation import animation
    from hil.mesh_report.page import page

    path = folder / REPORT
    html, motion = page(record, summary, scenario), animation(record, scenario)
    try:
        path.write_text(html, encoding="utf-8")
        (folder / ANIMATION).write_text(motion, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that can be written, found: {error.strerror}") from None
    return path
