"""Constellations against SGP4 itself, Walker's spacing, mean radius and chords; the reader of element files."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sgp4
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sgp4.api import WGS72, Satrec, jday

from flightsw.errors import ConfigError
from sim.network.constellation import Constellation, ShellModel
from sim.orbit import EARTH_RADIUS, TleOrbit

EPOCH = datetime(2026, 3, 20, 12, 0, 1, tzinfo=UTC)
NOON = sum(jday(2026, 3, 20, 12, 0, 0))
ORBIT = np.linspace(0.0, 5_740.0, 575)  # s, one of a satellite at 550 km


def shell(**changes):
    model = {
        "name": "shell",
        "altitude_km": 550,
        "inclination_deg": 53,
        "planes": 72,
        "satellites_per_plane": 22,
        "phasing": 39,
    }
    return ShellModel(**(model | changes))


@pytest.fixture(scope="module")
def large():
    return Constellation.of_shells([shell()], EPOCH)


def columns(constellation, first, last):
    return np.array([float(constellation.tle(k)[1][first - 1 : last]) for k in range(len(constellation))])


def test_positions_are_those_of_sgp4_to_the_last_bit(large):
    t = np.array([0.0, 1.0, 1_234.5, 86_399.0])
    position, velocity = large.states(t)
    assert position.shape == velocity.shape == (4, 1_584, 3)
    for satellite in (0, 23, 1_583):
        satrec = Satrec.twoline2rv(*large.tle(satellite), WGS72)
        for k, seconds in enumerate(t):
            code, r, v = satrec.sgp4(NOON, (1.0 + seconds) / 86_400.0)
            assert code == 0
            np.testing.assert_array_equal(position[k, satellite], np.array(r) * 1e3)
            np.testing.assert_array_equal(velocity[k, satellite], np.array(v) * 1e3)


def test_a_run_of_one_link_finds_the_satellite_at_the_same_place(large):
    t = np.array([0.0, 3_600.0])
    position, velocity = large.states(t)
    alone = TleOrbit(*large.tle(100), EPOCH).states(t)
    np.testing.assert_array_equal(position[:, 100], alone[0])
    np.testing.assert_array_equal(velocity[:, 100], alone[1])


def test_two_line_elements_hold_the_shell_to_their_resolution(large):
    """SGP4 of elements that never were text: the angles' last digit is 12 m along the orbit."""
    number = 5 * 22 + 7
    motion = columns(large, 53, 63)[0] * 2.0 * math.pi / 1_440.0
    satrec = Satrec()
    days = (EPOCH - datetime(1949, 12, 31, tzinfo=UTC)) / timedelta(days=1)
    node, anomaly = 2 * math.pi * 5 / 72, 2 * math.pi * (7 / 22 + 39 * 5 / 1_584)
    satrec.sgp4init(WGS72, "i", 1, days, 0, 0, 0, 0, 0, math.radians(53), anomaly, motion, node)
    _, r, _ = satrec.sgp4(NOON, 1.0 / 86_400.0)
    # half a digit of node and anomaly each, and 0.43 ms of the epoch
    assert np.linalg.norm(large.states(np.zeros(1))[0][0, number] - np.array(r) * 1e3) < 16.0


@pytest.mark.parametrize(
    ("altitude_km", "inclination_deg"), [(550, 53), (550, 0), (350, 97.6), (1_200, 90), (2_000, 63.4)]
)
def test_the_mean_radius_is_the_shells(altitude_km, inclination_deg):
    one = shell(altitude_km=altitude_km, inclination_deg=inclination_deg, planes=1, phasing=0)
    # 22 satellites over a 22nd of an orbit are one over a whole orbit
    period = 2 * math.pi * math.sqrt((EARTH_RADIUS + altitude_km * 1e3) ** 3 / 3.986e14)
    position, _ = Constellation.of_shells([one], EPOCH).states(np.linspace(0.0, period / 22, 50, endpoint=False))
    radius = np.linalg.norm(position, axis=2)
    assert radius.mean() - EARTH_RADIUS == pytest.approx(altitude_km * 1e3, abs=25.0)
    assert np.ptp(radius) < 20e3


def test_neighbours_in_a_plane_are_a_chord_apart(large):
    position, _ = large.states(ORBIT)
    plane = position[:, :22]
    length = np.linalg.norm(plane - np.roll(plane, -1, axis=1), axis=2)
    chord = 2.0 * (EARTH_RADIUS + 550e3) * math.sin(math.pi / 22)
    assert length.mean() == pytest.approx(chord, rel=1e-4)
    np.testing.assert_allclose(length, chord, rtol=1.5e-3)


@pytest.mark.parametrize(("pattern", "spread"), [("delta", 360.0), ("star", 180.0)])
def test_nodes_and_phases_are_walkers(pattern, spread):
    model = shell(planes=6, satellites_per_plane=11, phasing=2, pattern=pattern, raan_deg=350.0, inclination_deg=86.4)
    constellation = Constellation.of_shells([model], EPOCH)
    plane, slot = np.divmod(np.arange(66), 11)
    np.testing.assert_array_equal(constellation.plane, plane)
    np.testing.assert_array_equal(constellation.slot, slot)
    np.testing.assert_array_equal(constellation.shell, 0)
    node = columns(constellation, 18, 25) - (350.0 + plane * spread / 6)
    anomaly = columns(constellation, 44, 51) - (slot * 360.0 / 11 + plane * 2 * 360.0 / 66)
    for error in (node, anomaly):
        np.testing.assert_allclose((error + 180.0) % 360.0 - 180.0, 0.0, atol=0.51e-4)


def test_a_plane_is_ahead_of_the_one_before_by_the_phasing(large):
    """Measured in flight: the argument of latitude of two satellites in neighbouring planes, over an orbit."""
    position, velocity = large.states(ORBIT)
    u = []
    for satellite in (0, 22):
        r, h = position[:, satellite], np.cross(position[:, satellite], velocity[:, satellite])
        node = np.column_stack((-h[:, 1], h[:, 0], np.zeros(len(r))))
        ahead = np.cross(h, node)
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (node, ahead)]
        u.append(np.unwrap(np.arctan2(np.sum(r * unit[1], axis=1), np.sum(r * unit[0], axis=1))))
    assert math.degrees(np.mean(u[1] - u[0])) == pytest.approx(39 * 360.0 / 1_584, abs=2e-3)


def test_shells_follow_each_other():
    low, high = shell(planes=2, satellites_per_plane=3, phasing=0), shell(name="polar", planes=1, phasing=0)
    both = Constellation.of_shells([low, high], EPOCH)
    assert len(both) == 6 + 22
    assert both.names[:2] + both.names[5:7] == ("shell-00-00", "shell-00-01", "shell-01-02", "polar-00-00")
    np.testing.assert_array_equal(both.shell, [0] * 6 + [1] * 22)
    assert [both.tle(k)[0][2:7] for k in (0, 27)] == ["00001", "00028"]
    assert both.shells == (low, high)


def test_shells_that_intersect_the_earth_are_named_and_counted():
    shells = [shell(), shell(name="low", altitude_km=80), shell(name="below", altitude_km=-200.5)]
    message = re.escape("found 2 of 3 that intersect the Earth or its atmosphere: low (80 km), below (-200.5 km)")
    with pytest.raises(ConfigError, match=message):
        Constellation.of_shells(shells, EPOCH)


def test_other_bad_shells():
    with pytest.raises(ConfigError, match="found 1 given more than once: shell; rename"):
        Constellation.of_shells([shell(), shell(altitude_km=600)], EPOCH)
    with pytest.raises(ValidationError, match="phasing: expected 0 to planes - 1 = 71, found 72"):
        shell(phasing=72)
    with pytest.raises(ConfigError, match="epoch: expected a time zone"):
        Constellation.of_shells([shell()], datetime(2026, 3, 20))


# ---- files of element sets

SETS = [Constellation.of_shells([shell(planes=2, satellites_per_plane=3, phasing=0)], EPOCH).tle(k) for k in range(6)]


def written(tmp_path, *blocks):
    path = tmp_path / "satellites.tle"
    path.write_text("\n".join(line for block in blocks for line in block) + "\n")
    return path


def test_a_file_with_and_without_names(tmp_path):
    path = written(tmp_path, ("0 ALPHA 1", *SETS[0]), SETS[1], ("", "GAMMA   ", *SETS[2]))
    constellation = Constellation.of_tle_file(path, EPOCH)
    assert constellation.names == ("ALPHA 1", "00002", "GAMMA")
    assert [constellation.tle(k) for k in range(3)] == SETS[:3]
    for index in (constellation.shell, constellation.plane, constellation.slot):
        np.testing.assert_array_equal(index, [-1, -1, -1])
    np.testing.assert_array_equal(
        constellation.states(np.array([60.0]))[0][:, 2], TleOrbit(*SETS[2], EPOCH).states(np.array([60.0]))[0]
    )


titles = st.from_regex(r"[A-Z(][!-~]{0,10}( [!-~]{1,10})?", fullmatch=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.integers(0, 5), min_size=1, unique=True),
    names=st.lists(st.none() | titles, min_size=6, max_size=6, unique_by=lambda name: name or object()),
    newline=st.sampled_from(["\n", "\r\n", "\n\n", "  \n"]),
    marked=st.booleans(),
)
def test_every_form_of_a_file_gives_its_satellites_in_order(tmp_path, chosen, names, newline, marked):
    expected, rows = [], []
    for k in chosen:
        if names[k] is not None:
            rows.append(("0 " if marked else "") + names[k])
        rows.extend(SETS[k])
        expected.append(names[k] or SETS[k][0][2:7])
    path = tmp_path / "satellites.tle"
    path.write_text(newline.join(rows), newline="")
    constellation = Constellation.of_tle_file(path, EPOCH)
    assert list(constellation.names) == expected
    assert [constellation.tle(k) for k in range(len(chosen))] == [SETS[k] for k in chosen]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 6 * 70 - 2), put=st.characters(min_codepoint=32, max_codepoint=0x17F))
def test_a_spoilt_character_of_an_element_set_is_never_read_as_another_orbit(tmp_path, at, put):
    text = "\n".join(line for pair in SETS[:3] for line in pair)
    assume(text[at] not in ("\n", put))
    path = tmp_path / "satellites.tle"
    path.write_text(text[:at] + put + text[at + 1 :], encoding="utf-8")
    try:
        constellation = Constellation.of_tle_file(path, EPOCH)
    except ConfigError as error:
        assert str(path) in str(error)
        return
    # what a checksum cannot see: letters and blanks that count as nothing, in fields that no orbit depends on
    here = constellation.states(np.array([100.0]))[0]
    reference = np.stack([TleOrbit(*pair, EPOCH).states(np.array([100.0]))[0] for pair in SETS[:3]], axis=1)
    np.testing.assert_array_equal(here, reference)


def test_duplicates_are_named_and_counted(tmp_path):
    path = written(tmp_path, SETS[0], SETS[1], SETS[0], SETS[3], SETS[1])
    message = "satellites.tle: expected each satellite once, found 2 more than once: 00001, 00002; keep one"
    with pytest.raises(ConfigError, match=message):
        Constellation.of_tle_file(path, EPOCH)
    path = written(tmp_path, ("TWIN", *SETS[0]), ("TWIN", *SETS[1]))
    with pytest.raises(ConfigError, match="found 1 more than once: TWIN"):
        Constellation.of_tle_file(path, EPOCH)


def test_stale_epochs_are_named_and_counted(tmp_path):
    path = written(tmp_path, *SETS)
    assert len(Constellation.of_tle_file(path, EPOCH + timedelta(days=29.9))) == 6
    for days, age in ((31, r"\+31 d"), (-31, "-31 d")):
        with pytest.raises(ConfigError, match=rf"found 6 of 6 that are not: 00001 \({age}\), .*00006") as caught:
            Constellation.of_tle_file(path, EPOCH + timedelta(days=days))
        assert "satellites.tle: expected element sets within 30 days of 2026-" in str(caught.value)


def test_long_lists_of_culprits_are_cut(tmp_path):
    many = Constellation.of_shells([shell(planes=1, phasing=0)], EPOCH)
    path = written(tmp_path, *(many.tle(k) for k in range(22)))
    with pytest.raises(ConfigError, match=r"found 22 of 22 .* 00008 \(\+50 d\) and 14 more; take"):
        Constellation.of_tle_file(path, EPOCH + timedelta(days=50))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "found an empty file"),
        (SETS[0][:1], "expected two lines of elements at the end, found 1"),
        (("NAME",), "expected two lines of elements at the end, found 0"),
        ((*SETS[0], "", *SETS[1][::-1]), "satellites.tle, from line 4 on: TLE line 1: expected it to begin with '1 '"),
        ((*SETS[0], SETS[1][0][:60], SETS[1][1]), "from line 3 on: TLE line 1: expected 69 ASCII characters, found 60"),
    ],
)
def test_files_that_are_none(tmp_path, lines, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Constellation.of_tle_file(written(tmp_path, lines), EPOCH)
    with pytest.raises(ConfigError, match="expected an ephemeris file, found none"):
        Constellation.of_tle_file(tmp_path / "missing.tle", EPOCH)


def test_satellites_that_have_decayed_are_named_and_counted(tmp_path):
    """28872 of the verification set: the comment there says that it decays within the hour."""
    text = (Path(sgp4.__file__).parent / "SGP4-VER.TLE").read_text().splitlines()
    pair = [line[:69] for line in text if line[2:7] == "28872"]
    path = written(tmp_path, ("FALLING", *pair))
    epoch = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(days=float(pair[0][20:32]) - 1.0)
    constellation = Constellation.of_tle_file(path, epoch)
    with pytest.raises(ConfigError, match=r"found 1 of 1 without: FALLING \(a satellite that has decayed at 3600 s\)"):
        constellation.states(np.array([0.0, 1_200.0, 3_600.0, 3_700.0]))
    with pytest.raises(ConfigError, match=r"satellites.tle: constellation: .* FALLING \(.* at 0 s\)"):
        Constellation.of_tle_file(path, epoch + timedelta(days=1))
