"""Orbits against the SGP4 verification set, Kepler's closed forms, conserved quantities and another integrator."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import sgp4
from scipy.integrate import solve_ivp

from flightsw.errors import ConfigError
from sim.orbit import EARTH_RADIUS, J2_EARTH, MU_EARTH, J2Orbit, KeplerianElements, TleOrbit, cartesian

EPOCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
SGP4_FOLDER = Path(sgp4.__file__).parent

VANGUARD = (
    "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753",
    "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667",
)


def verification_elements():
    """Lines of the verification set by satellite; 20413 comes twice with the same elements."""
    lines = [line for line in (SGP4_FOLDER / "SGP4-VER.TLE").read_text().splitlines() if line[:2] in ("1 ", "2 ")]
    elements = {}
    for line1, line2 in zip(lines[::2], lines[1::2], strict=True):
        elements.setdefault(int(line1[2:7]), (line1[:69].ljust(69), line2[:69]))
    return elements


def verification_states():
    """Rows of minutes, position (km), velocity (km/s) by satellite, as Vallado's C++ program printed them."""
    rows = {}
    for line in (SGP4_FOLDER / "tcppver.out").read_text().splitlines():
        if line.endswith("xx"):
            block = rows.setdefault(int(line.split()[0]), [])
        else:
            block.append([float(word) for word in line.split()[:7]])
    return {satellite: np.array(block) for satellite, block in rows.items()}


ELEMENTS = verification_elements()
STATES = verification_states()
#: Those above are deliberate failures.
SOUND = sorted(number for number in STATES if number in ELEMENTS and number < 33_000)


def at_midnight(line1):
    """Midnight of the day of a TLE's epoch, and the seconds from there to the epoch."""
    year, day = int(line1[18:20]), float(line1[20:32])
    midnight = datetime(year + (1900 if year >= 57 else 2000), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
    return midnight, (day % 1.0) * 86_400.0


def repaired(line):
    """A line with the right checksum: some of the verification set carry none."""
    return line[:68] + str(sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10)


@pytest.mark.parametrize("satellite", SOUND)
def test_sgp4_verification_set(satellite):
    line1, line2 = (repaired(line) for line in ELEMENTS[satellite])
    midnight, seconds = at_midnight(line1)
    rows = STATES[satellite]
    position, velocity = TleOrbit(line1, line2, midnight).states(seconds + rows[:, 0] * 60.0)
    np.testing.assert_allclose(position / 1e3, rows[:, 1:4], rtol=0, atol=1e-6)
    np.testing.assert_allclose(velocity / 1e3, rows[:, 4:7], rtol=0, atol=2e-9)


def test_the_epoch_counts_in_any_time_zone():
    line1, line2 = VANGUARD
    midnight, seconds = at_midnight(line1)
    east = midnight.astimezone(timezone(timedelta(hours=5)))
    here = TleOrbit(line1, line2, midnight).states(np.array([seconds]))[0]
    np.testing.assert_array_equal(TleOrbit(line1, line2, east).states(np.array([seconds]))[0], here)
    np.testing.assert_allclose(here[0] / 1e3, STATES[5][0, 1:4], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("line1", "line2", "message"),
    [
        (VANGUARD[0][:68] + "4", VANGUARD[1], "TLE line 1: expected checksum 3, found '4'"),
        (VANGUARD[0], VANGUARD[1].replace("34.2682", "34.2683"), "TLE line 2: expected checksum 8, found '7'"),
        (
            VANGUARD[0][:17] + "0" + VANGUARD[0][18:],
            VANGUARD[1],
            "expected a blank before the year of the epoch in column 18",
        ),
        (VANGUARD[0][:60], VANGUARD[1], "TLE line 1: expected 69 ASCII characters, found 60"),
        (VANGUARD[1], VANGUARD[0], "TLE line 1: expected it to begin with '1 ', found '2 '; mind the lines' order"),
        (VANGUARD[0], repaired(VANGUARD[1].replace("00005", "00006")), "found 00005 in line 1 and 00006 in line 2"),
        (
            VANGUARD[0],
            repaired(VANGUARD[1].replace("1859667", " 185966")),
            "TLE line 2: expected the eccentricity in columns 27-33, found ' 185966'",
        ),
        (
            repaired(VANGUARD[0].replace("179.78495062", "179,78495062")),
            VANGUARD[1],
            "expected the day of the epoch in columns 21-32, found '179,78495062'",
        ),
        ("", "", "TLE line 1: expected 69 ASCII characters, found 0"),
    ],
)
def test_a_bad_tle_says_what_is_wrong(line1, line2, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TleOrbit(line1, line2, EPOCH)


# the codes that the comments of the verification set and the tests of the package sgp4 name
@pytest.mark.parametrize(
    ("satellite", "minutes", "message"),
    [
        (22312, 1440.0, "a mean eccentricity outside 0 to 1 (SGP4 code 1)"),
        (28872, 60.0, "a satellite that has decayed (SGP4 code 6)"),
        (29141, 440.0, "a satellite that has decayed (SGP4 code 6)"),
        (33333, 40.0, "a semi-latus rectum below zero (SGP4 code 4)"),
        (33334, 0.0, "an eccentricity outside 0 to 1 after perturbation (SGP4 code 3)"),
    ],
)
def test_sgp4_errors_in_words(satellite, minutes, message):
    line1, line2 = (repaired(line) for line in ELEMENTS[satellite])
    midnight, seconds = at_midnight(line1)
    with pytest.raises(ConfigError, match=re.escape(message)):
        TleOrbit(line1, line2, midnight).states(np.array([seconds + 60.0 * minutes]))


def test_a_tle_file_with_and_without_a_name(tmp_path):
    path = tmp_path / "vanguard.tle"
    for text in ("\n".join(VANGUARD), "\r\n".join(("VANGUARD 1", *VANGUARD, ""))):
        path.write_text(text)
        assert TleOrbit.from_file(path, EPOCH).satellite == "00005"
    path.write_text(VANGUARD[0])
    with pytest.raises(ConfigError, match=r"vanguard.tle: expected two lines of elements, .* found 1 lines"):
        TleOrbit.from_file(path, EPOCH)
    path.write_text(VANGUARD[0][:68] + "4\n" + VANGUARD[1])
    with pytest.raises(ConfigError, match=r"vanguard.tle: TLE line 1: expected checksum 3"):
        TleOrbit.from_file(path, EPOCH)


CIRCULAR = KeplerianElements(6_928_137.0, 0.0, math.radians(53), 0.7, 0.2, 0.4)
ECCENTRIC = KeplerianElements(26_600_000.0, 0.74, math.radians(63.4), 1.2, 4.7, -0.3)


def test_elements_at_the_apsides():
    """Perigee a(1-e) along the node when argument of perigee and mean anomaly are zero; apogee half a period later."""
    a, e, i = 10_000e3, 0.2, math.radians(30)
    position, velocity = cartesian(KeplerianElements(a, e, i, math.radians(90)))
    np.testing.assert_allclose(position, [0.0, 8_000e3, 0.0], atol=1e-6)
    speed = math.sqrt(MU_EARTH * (2 / 8_000e3 - 1 / a))
    np.testing.assert_allclose(velocity, [-speed * math.cos(i), 0.0, speed * math.sin(i)], atol=1e-9)
    half = math.pi * math.sqrt(a**3 / MU_EARTH)
    orbit = J2Orbit(KeplerianElements(a, e, i, math.radians(90)), EPOCH, j2=False)
    np.testing.assert_allclose(orbit.states(np.array([half]))[0][0], [0.0, -12_000e3, 0.0], atol=1e-3)


def test_keplers_equation_holds():
    """tan(nu/2) = sqrt((1+e)/(1-e)) tan(E/2) and M = E - e sin E, for E chosen beforehand."""
    e = 0.74
    for eccentric_anomaly in np.linspace(-3.0, 3.0, 13):
        mean = eccentric_anomaly - e * math.sin(eccentric_anomaly)
        nu = 2.0 * math.atan(math.sqrt((1 + e) / (1 - e)) * math.tan(eccentric_anomaly / 2))
        position, _ = cartesian(KeplerianElements(26_600e3, e, 0.0, mean_anomaly_rad=mean + 4 * math.pi))
        assert math.atan2(position[1], position[0]) == pytest.approx(nu, abs=1e-12)
        assert math.hypot(*position) == pytest.approx(26_600e3 * (1 - e * math.cos(eccentric_anomaly)), abs=1e-5)


def test_a_circular_orbit_turns_at_its_mean_motion():
    orbit = J2Orbit(KeplerianElements(6_928_137.0, 0.0, 0.0), EPOCH, j2=False)
    t = np.linspace(-3600.0, 86_400.0, 500)
    angle = math.sqrt(MU_EARTH / 6_928_137.0**3) * t
    position, velocity = orbit.states(t)
    ring = 6_928_137.0 * np.column_stack((np.cos(angle), np.sin(angle), np.zeros_like(t)))
    np.testing.assert_allclose(position, ring, rtol=0, atol=1e-2)
    np.testing.assert_allclose(np.linalg.norm(velocity, axis=1), math.sqrt(MU_EARTH / 6_928_137.0), rtol=1e-12)


@pytest.mark.parametrize("elements", [CIRCULAR, ECCENTRIC])
@pytest.mark.parametrize("j2", [False, True])
def test_energy_and_axial_angular_momentum_are_conserved(elements, j2):
    r, v = J2Orbit(elements, EPOCH, j2=j2).states(np.linspace(-5_000.0, 86_400.0, 300))
    radius = np.linalg.norm(r, axis=1)
    legendre = 1.5 * (r[:, 2] / radius) ** 2 - 0.5
    potential = -MU_EARTH / radius * (1.0 - (J2_EARTH if j2 else 0.0) * (EARTH_RADIUS / radius) ** 2 * legendre)
    energy = 0.5 * np.sum(v * v, axis=1) + potential
    momentum = np.cross(r, v)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-11)
    np.testing.assert_allclose(momentum[:, 2], momentum[0, 2], rtol=1e-11)
    if not j2:
        np.testing.assert_allclose(momentum, momentum[:1].repeat(300, axis=0), rtol=0, atol=1e-10 * abs(momentum).max())


@pytest.mark.parametrize("inclination_deg", [53.0, 97.6])
def test_the_node_drifts_at_the_secular_rate(inclination_deg):
    a, i = 6_928_137.0, math.radians(inclination_deg)
    n = math.sqrt(MU_EARTH / a**3)
    expected = -1.5 * J2_EARTH * n * (EARTH_RADIUS / a) ** 2 * math.cos(i)
    t = np.arange(0.0, 15 * 2 * math.pi / n, 5.0)
    h = np.cross(*J2Orbit(KeplerianElements(a, 0.0, i, 1.0), EPOCH).states(t))
    node = np.unwrap(np.arctan2(h[:, 0], -h[:, 1]))
    # first-order theory, and a is osculating: 1 % is what they promise
    assert np.polyfit(t, node, 1)[0] == pytest.approx(expected, rel=0.01)
    if inclination_deg == 97.6:
        assert math.degrees(expected) * 86_400 == pytest.approx(0.9856, rel=0.02)  # sun-synchronous


@pytest.mark.parametrize("elements", [CIRCULAR, ECCENTRIC])
def test_another_integrator_agrees(elements):
    def pull(_, state):
        r = state[:3]
        d = math.sqrt(r @ r)
        k = 1.5 * J2_EARTH * MU_EARTH * EARTH_RADIUS**2 / d**5
        z = 5.0 * r[2] ** 2 / d**2
        return np.concatenate((state[3:], -MU_EARTH / d**3 * r - k * r * (np.array([1.0, 1.0, 3.0]) - z)))

    t = np.linspace(0.0, 3600.0, 61)
    start = np.concatenate(cartesian(elements))
    truth = solve_ivp(pull, (0.0, 3600.0), start, method="DOP853", t_eval=t, rtol=1e-13, atol=1e-6, max_step=30.0).y.T
    position, velocity = J2Orbit(elements, EPOCH).states(t)
    np.testing.assert_allclose(position, truth[:, :3], rtol=0, atol=1e-3)
    np.testing.assert_allclose(velocity, truth[:, 3:], rtol=0, atol=1e-6)


def test_velocity_is_the_slope_of_position_and_both_are_smooth_across_nodes():
    t = np.array([9.9, 9.999, 10.0, 10.001, 14.3])
    orbit = J2Orbit(CIRCULAR, EPOCH)
    slope = (orbit.states(t + 1e-2)[0] - orbit.states(t - 1e-2)[0]) / 2e-2
    np.testing.assert_allclose(orbit.states(t)[1], slope, rtol=0, atol=1e-5)


def test_the_order_of_questions_does_not_matter():
    t = np.linspace(-2_000.0, 2_000.0, 401)
    whole = J2Orbit(CIRCULAR, EPOCH).states(t)[0]
    piecewise = J2Orbit(CIRCULAR, EPOCH)
    order = np.random.default_rng(1).permutation(len(t))
    np.testing.assert_array_equal(np.concatenate([piecewise.states(t[[k]])[0] for k in order]), whole[order])
    assert piecewise.states(np.array([]))[0].shape == (0, 3)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (
            KeplerianElements(6_928_137.0, 0.1, 0.9),
            "expected a perigee above Earth's surface, 6378.137 km .*6235.323 km",
        ),
        (KeplerianElements(7e6, 1.0, 0.9), "expected an eccentricity of 0 to below 1, found 1"),
        (KeplerianElements(math.nan, 0.0, 0.9), "found nan km"),
    ],
)
def test_elements_that_are_no_orbit(elements, message):
    with pytest.raises(ConfigError, match=message):
        J2Orbit(elements, EPOCH)


def test_an_epoch_without_time_zone_is_refused():
    with pytest.raises(ConfigError, match="epoch: expected a time zone"):
        J2Orbit(CIRCULAR, datetime(2026, 3, 20, 12))
