"""The report of a campaign, of tables whose figures are known beforehand."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from scipy.stats import binomtest

from flightsw.errors import ConfigError
from hil.campaign_plan import Campaign
from hil.campaign_report import write_campaign_report
from hil.campaign_report.data import load as load_campaign
from hil.campaign_report.expected import expected
from hil.campaign_report.grid import points, success_table
from hil.campaign_report.headline import headline
from hil.campaign_report.sensitivity import effects
from hil.campaign_report.worst import worst, worst_table
from hil.cli import main
from hil.failed_run import as_toml
from hil.scenario import load
from hil.workers import Workers

SPEED = "both.flight.acquisition.scan_speed_mrad_s"
ERROR = "both.hardware.platform.initial_error_urad"
POWER = "both.hardware.laser.signal.power_w"
WINDOW = "both.flight.acquisition.window_sigma"
JITTER = "both.flight.acquisition.jitter_urad"
LAW = "both.flight.tracking.law"


@pytest.fixture
def written(tmp_path):
    """Writes a campaign: `written(**{"acquisition.time_s": [...]})`, and other columns than those of a good run."""

    def write(plan=None, scenario="leo_crosslink", **columns):
        runs = len(columns["acquisition.time_s"])
        plan = {"seed": 7, "until": "acquired", **(plan or {})}
        each = int(np.prod([len(values) for values in plan.get("grid", {}).values()], dtype=int))
        campaign = Campaign(scenario=load(scenario), runs=runs // each, **plan)
        drawn = [campaign.draw(run) for run in range(runs)]
        acquired = [time is not None for time in columns["acquisition.time_s"]]
        table = {
            "run": range(runs),
            "seed": [seed for seed, _ in drawn],
            **{key: [values[key] for _, values in drawn] for key in campaign.keys},
            "goal_met": acquired,
            "error": pyarrow.nulls(runs, pyarrow.string()),
            "acquisition.acquired": acquired,
            "acquisition.attempts": [1] * runs,
            "acquisition.false_locks": [0] * runs,
            "modes.alpha.POINT": [2.5] * runs,
            "link.range_km": [2000.0] * runs,
            **columns,
        }
        (tmp_path / "campaign.json").write_text(campaign.model_dump_json())
        parquet.write_table(pyarrow.table(table), tmp_path / "campaign.parquet")
        return load_campaign(tmp_path)

    return write


def some_times(runs, lost=0):
    times = 2.5 + np.random.default_rng(1).exponential(1.0, runs)
    return [*times[lost:], *[None] * lost]


class Outline(HTMLParser):
    """Headings, cells, and what the page would load."""

    def __init__(self):
        super().__init__()
        self.headings, self.cells, self.links, self.inside = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and v[0] != "#"]

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside in ("h1", "h2"):
            self.headings.append(data.strip())
        if self.inside == "td":
            self.cells.append(data)


def outline(html):
    found = Outline()
    found.feed(html)
    return found


def test_the_report_is_one_self_contained_page_with_every_section(written):
    residual = np.random.default_rng(2).normal(0.8, 0.05, (2, 120))
    data = written(
        {"until": "end", "grid": {SPEED: [4, 8]}, "vary": {ERROR: "uniform(100, 300)"}},
        **{
            "acquisition.time_s": some_times(120, lost=3),
            "tracking.alpha.residual_radial_rms_urad": residual[0],
            "tracking.bravo.residual_radial_rms_urad": residual[1],
            "link.fades.alpha.share": np.linspace(0.0, 0.1, 120),
            "link.fades.bravo.share": np.zeros(120),
        },
    )
    page = write_campaign_report(data.folder).read_text()
    found = outline(page)
    assert found.headings == [
        "leo_crosslink", "Acquisition time", "Success by point of the grid", "Residual and fades",
        "What acquisition time depends on", "The ten worst runs",
    ]  # fmt: skip
    assert found.links == [] and "<script" not in page and page.count("<svg") == 4
    assert page == write_campaign_report(data.folder).read_text()


@pytest.mark.parametrize(
    ("plan", "times", "said"),
    [
        ({}, [None] * 6, "No run acquired"),
        ({}, [3.0, 4.0], "Nothing differs between these runs but the seed"),
        ({}, [3.0], "--until end lets them go on"),
        ({"vary": {ERROR: "uniform(100, 300)"}}, [3.0, None, 4.0], "Nothing differs"),
    ],
)
def test_what_there_is_nothing_of_is_said_in_words(written, plan, times, said):
    data = written(plan, **{"acquisition.time_s": times})
    assert said in write_campaign_report(data.folder).read_text()


def test_a_campaign_without_a_formula_has_a_report_that_says_so(written):
    data = written(scenario="smallsat", **{"acquisition.time_s": some_times(30)})
    assert "found a beacon; there is no formula" in write_campaign_report(data.folder).read_text()


def test_the_head_has_the_share_with_its_interval_and_the_quantiles(written):
    times = some_times(400, lost=8)
    head = headline(written(**{"acquisition.time_s": times}))
    interval = binomtest(392, 400).proportion_ci(method="wilson")
    assert f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %" in head and ">98.00 <" in head
    known = sorted(time for time in times if time is not None)
    assert f">{sum(known) / 392:.2f} <" in head
    assert f">{(known[195] + known[196]) / 2:.2f} <" in head  # the median of an even number
    assert f"99 % within {known[387] + 0.09 * (known[388] - known[387]):.2f} s" in head


def test_the_curve_is_that_of_the_mean_time_to_touch(written):
    data = written(
        {"vary": {"both.flight.acquisition.pitch_urad": "60.0", WINDOW: "5.0", SPEED: "1.0", JITTER: "0.0"}},
        **{"acquisition.time_s": some_times(40)},
    )
    time_s = np.linspace(0.0, 60.0, 6001)
    curve = expected(data, time_s)
    mean_s = float(np.trapezoid(1.0 - curve, time_s))
    # at 1 mrad/s and 2,000 km the beam is seen out to about 32 urad, half a pitch: 2 pi sigma^2 / (D v); the light goes
    # 4,000 km, two cameras take 15 ms each, and the loops close in three frames
    assert mean_s == pytest.approx(2.5 + 2.0 * np.pi * 200.0**2 / (60.0 * 1e3) + 0.073, rel=0.03)
    assert np.all(np.diff(curve) >= 0.0) and curve[249] == 0.0


def test_points_of_the_grid_have_their_own_share(written):
    times = [None if run % 4 == 3 and run < 40 else 3.0 + run % 2 for run in range(80)]
    data = written({"grid": {SPEED: [4, 8], LAW: ["lqg", "pi"]}}, **{"acquisition.time_s": times})
    assert {point: len(runs) for point, runs in points(data).items()} == {
        (4, "lqg"): 20, (4, "pi"): 20, (8, "lqg"): 20, (8, "pi"): 20,
    }  # fmt: skip
    cells = outline(success_table(data)).cells
    last = cells[-9:]
    interval = binomtest(10, 20).proportion_ci(method="wilson")
    assert last[:5] == ["8", "pi", "20", "50.00", f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"]
    assert last[5:] == ["4.00"] * 4


def test_effects_are_those_that_were_put_in_the_strongest_first(written):
    plan = {"vary": {ERROR: "uniform(100, 300)", POWER: "uniform(1, 2)", LAW: "choice(integrator, lqg)"}}
    campaign = Campaign(scenario=load("leo_crosslink"), seed=7, runs=600, until="acquired", **plan)
    drawn = [campaign.draw(run)[1] for run in range(600)]
    noise = np.random.default_rng(3).normal(0.0, 0.2, 600)
    times = [10.0 - 0.01 * row[ERROR] + (row[LAW] == "lqg") + e for row, e in zip(drawn, noise, strict=True)]
    first, second, third = effects(written(plan, **{"acquisition.time_s": times}))
    # between the means of the outer fifths of uniform(100, 300) lie 160
    assert first.key == ERROR and first.difference == pytest.approx(-1.6, abs=0.15)
    assert first.low < -1.6 < first.high < -1.3
    assert -0.85 < first.correlation < -0.6
    assert second.key == LAW and (second.lower, second.upper) == ("integrator", "lqg")
    assert second.low < 1.0 < second.high and second.high - second.low < 0.3 and second.correlation is None
    assert third.key == POWER and third.low < 0.0 < third.high


def test_the_worst_runs_come_with_what_went_wrong(written):
    times = [2.6, 9.0, 4.0, None, None, *np.linspace(3.0, 3.5, 20)]
    data = written(
        **{
            "acquisition.time_s": times,
            "error": [None] * 4 + ["ConfigError: no <pitch>"] + [None] * 20,
            "goal_met": [False, True, True, False, False] + [True] * 20,
            "acquisition.attempts": [1, 3, 1, 4, None] + [1] * 20,
            "acquisition.false_locks": [0, 2, 0, 0, None] + [0] * 20,
            "modes.bravo.COARSE_TRACK": [0.1, 0.1, 1.5, 0.2, None] + [0.1] * 20,
        }
    )
    failed = data.folder / "failed" / "3"
    failed.mkdir(parents=True)
    rows = [
        {"time_s": 1.0, "terminal": "alpha", "severity": "INFO", "name": "MODE_CHANGE", "text": "STANDBY -> POINT"},
        {"time_s": 5.5, "terminal": "bravo", "severity": "MEDIUM", "name": "MODE_CHANGE", "text": "COMM -> REACQUIRE"},
        {"time_s": 6.0, "terminal": "bravo", "severity": "LOW", "name": "LIGHT_REFUSED", "text": "light at"},
    ]
    (failed / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert worst(data) == [3, 4, 0, 1, 2, 24, 23, 22, 21, 20]
    found = outline(worst_table(data))
    assert found.cells[3::4][:6] == [
        "not acquired in 4 scans, bravo saw the other's light; last: bravo at 5.50 s, COMM -> REACQUIRE",
        "ConfigError: no <pitch>",
        "acquired, and not in COMM at the end",
        "missed in 2 scans; 2 false locks",
        "1.5 s on the camera alone",
        "nothing: found late in the first scan",
    ]
    assert found.cells[1] == str(data.plan.draw(3)[0]) and found.cells[14] == "9.00"


def test_a_campaign_that_is_not_complete_has_no_report(written, tmp_path):
    data = written(**{"acquisition.time_s": [3.0]})
    (tmp_path / "campaign.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="expected a Parquet table"):
        load_campaign(data.folder)
    (tmp_path / "campaign.parquet").unlink()
    with pytest.raises(ConfigError, match="go on with --resume"):
        write_campaign_report(data.folder)


def test_the_command_leaves_a_report_of_what_it_counted(scenario, tmp_path, monkeypatch):
    for module in ("hil.workers", "hil.campaign"):
        monkeypatch.setattr(f"{module}.processes", lambda _: Workers(1, partial(ThreadPoolExecutor, 1)))
    short = scenario("leo_crosslink", {"/sample_rate_hz": 1000, "/duration_s": 4})
    (tmp_path / "s.toml").write_text(as_toml(short))
    out = tmp_path / "out"
    assert main(["campaign", str(tmp_path / "s.toml"), "--runs", "4", "--jobs", "1", "--out", str(out)]) == 0
    assert outline((out / "report.html").read_text()).headings[0] == "leo_crosslink"
    assert parquet.read_metadata(out / "campaign.parquet").num_rows == 4
