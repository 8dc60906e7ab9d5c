"""SGP4 under `TleEphemeris` against the verification vectors that the sgp4 package ships (AIAA 2006-6753)."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import sgp4

from flightsw.errors import ConfigError
from flightsw.navigation.tle import TleEphemeris, checksum

PACKAGE = Path(sgp4.__file__).parent
# 33333 to 33335 are there to provoke errors and carry wrong checksums, the second 20413 is propagated by 3.5 years.
DAMAGED = {"33333", "33334", "33335"}

LINE1 = "1 25544U 98067A   08264.51782528 -.00002182  00000-0 -11606-4 0  2927"
LINE2 = "2 25544  51.6416 247.4627 0006703 130.5360 325.0288 15.72125391563537"
EPOCH = datetime(2008, 9, 20, 12, 0, tzinfo=UTC)


def verification_lines() -> dict[str, tuple[str, str]]:
    lines = [line for line in (PACKAGE / "SGP4-VER.TLE").read_text().splitlines() if line[:2] in ("1 ", "2 ")]
    pairs: dict[str, tuple[str, str]] = {}
    for line1, line2 in zip(lines[::2], lines[1::2], strict=True):
        pairs.setdefault(line1[2:7], (line1[:69], line2[:69]))
    return pairs


def verification_states() -> dict[str, list[list[float]]]:
    """Minutes since the epoch of the element set, km and km/s."""
    states: dict[str, list[list[float]]] = {}
    satellite = ""
    for line in (PACKAGE / "tcppver.out").read_text().splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1] == "xx":
            satellite = f"{int(fields[0]):05d}"
            if satellite in states:  # the second 20413
                break
            states[satellite] = []
        else:
            states[satellite].append([float(field) for field in fields[:7]])
    return states


LINES = verification_lines()
STATES = verification_states()


@pytest.mark.parametrize("satellite", sorted(set(STATES) - DAMAGED))
def test_verification_states(satellite: str) -> None:
    line1, line2 = LINES[satellite]
    year, day = int(line1[18:20]), float(line1[20:32])
    midnight = datetime(year + (2000 if year < 57 else 1900), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
    expected = np.array(STATES[satellite])
    ephemeris = TleEphemeris(line1, line2, midnight)
    position, velocity = ephemeris.states((day % 1.0) * 86_400.0 + 60.0 * expected[:, 0])
    # The vectors have 10 um and 1 um/s of resolution. A time of day in float64 days is good to 10 ns, or 0.1 mm.
    np.testing.assert_allclose(position, 1e3 * expected[:, 1:4], rtol=0.0, atol=2e-3)
    np.testing.assert_allclose(velocity, 1e3 * expected[:, 4:7], rtol=0.0, atol=2e-6)


def test_every_verification_satellite_is_compared() -> None:
    assert len(STATES) >= 29
    assert set(STATES) <= set(LINES)


@pytest.mark.parametrize(("satellite", "line"), [("33333", 1), ("33334", 1), ("33335", 1)])
def test_wrong_checksums_of_the_verification_set_are_refused(satellite: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"TLE line {line}: expected checksum \d, found \d"):
        TleEphemeris(*LINES[satellite], EPOCH)


def test_a_scenario_epoch_in_another_time_zone_is_the_same_instant() -> None:
    t = np.array([0.0, 600.0])
    there = EPOCH.astimezone(timezone(timedelta(hours=-7)))
    expected, _ = TleEphemeris(LINE1, LINE2, EPOCH).states(t)
    found, _ = TleEphemeris(LINE1, LINE2, there).states(t)
    np.testing.assert_array_equal(found, expected)


def test_printed_checksums() -> None:
    assert checksum(LINE1) == 7
    assert checksum(LINE2) == 7


def test_decay_is_an_error_in_words() -> None:
    # 28872 was lost within an hour of its last element set, of 2005-11-29 00:29.
    line1, line2 = LINES["28872"]
    ephemeris = TleEphemeris(line1, line2, datetime(2005, 11, 29, tzinfo=UTC))
    with pytest.raises(ConfigError, match=r"TLE of satellite 28872: .*2005-11-29T01:25.*the satellite has decayed"):
        ephemeris.states(np.array([1_800.0, 5_100.0]))


def damage(line: str, column: int, text: str) -> str:
    """Replace text from a column, counted from 1, and mend the checksum."""
    line = line[: column - 1] + text + line[column - 1 + len(text) :]
    return line[:68] + str(checksum(line))


@pytest.mark.parametrize(
    ("line1", "line2", "message"),
    [
        (LINE1[:-1] + "8", LINE2, "TLE line 1: expected checksum 7, found 8"),
        (LINE1, LINE2[:-1] + "0", "TLE line 2: expected checksum 7, found 0"),
        (LINE1[:60], LINE2, "TLE line 1: expected 69 columns, found 60"),
        (LINE2, LINE1, "TLE line 1: expected it to begin with '1 ', found '2 '"),
        (LINE1, damage(LINE2, 3, "25545"), "TLE line 2, columns 3-7: expected satellite number 25544"),
        (LINE1, damage(LINE2, 9, " 51,6416"), "TLE line 2, columns 9-16: expected inclination like"),
        (LINE1, damage(LINE2, 27, "0.00670"), "TLE line 2, columns 27-33: expected eccentricity like"),
        (damage(LINE1, 19, "08264,5178"), LINE2, "TLE line 1, columns 19-32: expected epoch like"),
        (damage(LINE1, 18, "0"), LINE2, "TLE line 1, column 18: expected a blank before the epoch, found '0'"),
        (LINE1.replace("U", "é"), LINE2, "TLE line 1: expected"),
        ("", "", "TLE line 1: expected 69 columns, found 0"),
    ],
)
def test_damaged_lines_are_named(line1: str, line2: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TleEphemeris(line1, line2, EPOCH)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trailing_blanks_and_alpha_5_numbers_are_taken() -> None:
    line1, line2 = damage(LINE1, 3, "T0001"), damage(LINE2, 3, "T0001")
    assert TleEphemeris(line1 + "  \n", line2 + "\r\n", EPOCH).satellite == "T0001"


def test_epoch_without_time_zone_is_refused() -> None:
    with pytest.raises(ConfigError, match="time zone"):
        TleEphemeris(LINE1, LINE2, datetime(2008, 9, 20))


@pytest.mark.parametrize("times", [np.array([[0.0]]), np.array([np.nan]), np.array([0.0, np.inf])])
def test_times_must_be_finite_and_one_dimensional(times: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="times"):
        TleEphemeris(LINE1, LINE2, EPOCH).states(times)
