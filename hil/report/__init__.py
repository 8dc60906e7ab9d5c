"""The report of a run: one self-contained HTML file, drawn from the record."""

from pathlib import Path


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises ConfigError if the folder holds no run, or cannot be written.
    """
    from flightsw.errors import ConfigError
    from hil.report.page import page
    from hil.run import REPORT
    from hil.run_data import load

    path = folder / REPORT
    html = page(load(folder))
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be written, found: {error.strerror}") from None
    return path
