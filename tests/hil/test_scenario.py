"""Scenario files: what is shipped loads, and what is wrong is named in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from hil.scenario import load, shipped

MINIMAL = """
name = "minimal"
description = "two satellites in one plane"
epoch = 2026-03-20T12:00:00Z
duration_s = 5
[both.hardware.laser]
signal = { power_w = 1, divergence_fwhm_urad = 20 }
[terminals.a]
orbit.kepler = { semi_major_axis_km = 6928, inclination_deg = 53 }
flight.spacecraft_id = 1
[terminals.b]
orbit.kepler = { semi_major_axis_km = 6928, inclination_deg = 53, mean_anomaly_deg = 10 }
flight.spacecraft_id = 2
"""


def refused(folder: Path, text: str) -> str:
    path = folder / "scenario.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(str(path))
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(path))
    return message


def test_the_five_scenarios_ship_and_load():
    assert set(shipped()) == {"leo_crosslink", "cross_plane", "leo_geo", "smallsat", "rough_ride"}
    for name in shipped():
        assert load(name).name == name


def test_both_is_laid_under_each_terminal(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(MINIMAL + "hardware.laser.signal.power_w = 3\n")
    a, b = load(str(path)).terminals.values()
    assert a.hardware.laser.signal.power_w == 1 and b.hardware.laser.signal.power_w == 3
    assert b.hardware.laser.signal.divergence_fwhm_urad == 20


def test_files_are_taken_from_the_folder_of_the_scenario(tmp_path):
    path = tmp_path / "s.toml"
    kepler = "orbit.kepler = { semi_major_axis_km = 6928, inclination_deg = 53 }"
    path.write_text(MINIMAL.replace(kepler, 'orbit.tle_file = "mine.tle"'))
    assert load(str(path)).terminals["a"].orbit.tle_file == tmp_path / "mine.tle"


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("signal = {", "signal = { powr_w = 1,", "terminals.a.hardware.laser.signal.powr_w", "unknown key"),
        ("power_w = 1, ", "", "terminals.a.hardware.laser.signal.power_w", "missing"),
        ("power_w = 1,", "power_w = -1,", "terminals.a.hardware.laser.signal.power_w", "greater than 0"),
        ("duration_s = 5", "duration_s = nan", "duration_s", "nan"),
        ("12:00:00Z", "12:00:00", "epoch", "time zone"),
        ("spacecraft_id = 2", "spacecraft_id = 1", "terminals", "two different spacecraft_id, found 1 twice"),
        (
            "duration_s = 5",
            'duration_s = 5\ntimeline = [{at_s = 1, terminal = "c", command = "safe"}]',
            "timeline",
            "c",
        ),
        ("duration_s = 5", "duration_s = 5\ntimeline = [{at_s = 1, fault = 'blockage'}]", "timeline.0", "duration_s"),
        ("semi_major_axis_km = 6928,", "semi_major_axis_km = 6000,", "semi_major_axis_km", "6378"),
        (
            "[terminals.a]",
            "[terminals.a]\nflight.tracking.mirror_range_urad = 2000",
            "mirror_range_urad",
            "at most the mirror's range of 1500 urad, found 2000",
        ),
        (
            "orbit.kepler = {",
            "orbit.oem_file = 'x.oem'\norbit.kepler = {",
            "terminals.a.orbit",
            "found kepler, oem_file",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path, old, new, key, said):
    message = refused(tmp_path, MINIMAL.replace(old, new, 1))
    assert key in message and said in message


def test_a_scenario_of_one_terminal_is_refused(tmp_path):
    assert "expected two, found 1" in refused(tmp_path, MINIMAL[: MINIMAL.index("[terminals.b]")])


def test_text_that_is_not_toml_is_refused_with_its_line(tmp_path):
    assert "line 2" in refused(tmp_path, "name = 'x'\nduration_s = = 5\n")


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected a scenario file, found none"):
        load(str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match="leo_crosslink"):
        load("leo_croslink")


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.lists(st.integers()), max_size=4))
def test_any_table_loads_or_is_refused(tmp_path_factory, table):
    lines = [
        f"{_quoted(key)} = {value if isinstance(value, int | list) else _quoted(value)}" for key, value in table.items()
    ]
    path = tmp_path_factory.mktemp("s") / "s.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError):
        load(str(path))


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else "_" for c in text) + '"'
