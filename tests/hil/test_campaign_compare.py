"""Two campaigns side by side, of tables whose differences are known beforehand."""

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from scipy.stats import wilcoxon

from hil.campaign_compare import compare
from hil.campaign_plan import Campaign
from hil.campaign_report.data import load as load_campaign
from hil.cli import main
from hil.scenario import load


@pytest.fixture
def written(tmp_path):
    """Writes a campaign: `written("a", times, seed=1)`; None for a run that did not acquire."""

    def write(name, times, seed=1, until="acquired", pitch=None, **columns):
        campaign = Campaign(
            scenario=load("leo_crosslink"),
            seed=seed,
            runs=len(times),
            until=until,
            vary={} if pitch is None else {"both.flight.acquisition.pitch_urad": pitch},
        )
        acquired = [time is not None for time in times]
        table = {
            "run": range(len(times)),
            "seed": [campaign.draw(run)[0] for run in range(len(times))],
            "acquisition.acquired": acquired,
            "acquisition.time_s": times,
            **columns,
        }
        folder = tmp_path / name
        folder.mkdir()
        (folder / "campaign.json").write_text(campaign.model_dump_json())
        parquet.write_table(pyarrow.table(table), folder / "campaign.parquet")
        return load_campaign(folder)

    return write


def by_name(found):
    return {row.name: row for row in found.rows}


def test_the_interval_of_two_shares_is_newcombes(written):
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10: 56 of 70 against 48 of 80
    a = written("a", [3.0] * 48 + [None] * 32, seed=1)
    b = written("b", [3.0] * 56 + [None] * 14, seed=2)
    row = compare(a, b).rows[0]
    assert row.name == "acquired" and row.difference == pytest.approx(20.0)
    assert (row.low, row.high) == (pytest.approx(5.24, abs=0.01), pytest.approx(33.39, abs=0.01))


def test_runs_with_the_same_seeds_are_pairs_and_tell_a_small_difference(written):
    rng = np.random.default_rng(1)
    times = 2.5 + rng.exponential(1.0, 200)
    later = times + 0.05 + rng.normal(0.0, 0.02, 200)
    a, b, other = written("a", times), written("b", later), written("other", later, seed=2)
    paired, apart = compare(a, b), compare(a, other)
    assert paired.pairs == 200 and apart.pairs == 0
    row, wide = by_name(paired)["acquisition time, mean"], by_name(apart)["acquisition time, mean"]
    assert row.differs and row.low == pytest.approx(0.05, abs=0.01) and row.high == pytest.approx(0.05, abs=0.01)
    # two means of 200 with standard deviation 1: +-1.96 sqrt(2 / 200)
    assert not wide.differs and wide.high - wide.low == pytest.approx(3.92 * np.sqrt(2 / 200), rel=0.25)
    assert paired.p_values["signed ranks"] == pytest.approx(wilcoxon(times - later).pvalue)
    assert "signed ranks" not in apart.p_values


def test_a_pair_counts_where_both_acquired(written):
    a = written("a", [None, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    b = written("b", [9.0, 3.5, 4.5, 5.5, 6.5, 7.5, None])
    found = compare(a, b)
    row = by_name(found)["acquisition time, mean"]
    assert found.pairs == 5 and (row.a, row.b) == (5.0, 5.5) and row.low == row.high == 0.5


def test_p_values_of_samples_that_do_not_overlap(written):
    # of all C(10, 5) orders of two samples of five, two are as far apart as these
    found = compare(written("a", [1.0, 2.0, 3.0, 4.0, 5.0]), written("b", [6.0, 7.0, 8.0, 9.0, 10.0], seed=2))
    assert found.p_values["Mann-Whitney"] == pytest.approx(2 / 252)


def test_the_p_value_of_two_distribution_functions_is_smirnovs(written):
    # 120 of 2,000 lie below all of the others: 2 exp(-2 (0.06 sqrt(2000 / 2))^2)
    times = np.linspace(3.0, 4.0, 2000)
    found = compare(written("a", times), written("b", times + times[120] - times[0] - 1e-6, seed=2))
    assert found.p_values["Kolmogorov-Smirnov"] == pytest.approx(2.0 * np.exp(-7.2), rel=0.06)


def test_a_campaign_is_like_itself(written):
    times = list(np.linspace(3.0, 9.0, 40))
    found = compare(written("a", times), written("b", times))
    assert found.keys == [] and not any(row.differs for row in found.rows)
    assert all(p == pytest.approx(1.0) for p in found.p_values.values())


def test_keys_that_differ_are_named_with_both_values(written):
    times = [3.0, 4.0, 5.0]
    found = compare(written("a", times), written("b", times, seed=2, pitch="uniform(20, 40)"))
    assert found.keys == [
        ("seed", "1", "2"),
        ("vary.both.flight.acquisition.pitch_urad", "–", "uniform(20, 40)"),
    ]


def test_residuals_and_fades_are_held_against_each_other_where_there_are_any(written):
    times = [3.0] * 10
    key, fades = "tracking.alpha.residual_radial_rms_urad", "link.fades.alpha.share"
    a = written("a", times, until="end", **{key: np.linspace(0.5, 0.7, 10), fades: [0.02] * 10})
    b = written("b", times, until="end", seed=2, **{key: [None, *np.linspace(0.9, 1.1, 9)], fades: [0.01] * 10})
    rows = by_name(compare(a, b))
    assert rows["residual, alpha, mean"].difference == pytest.approx(0.4) and rows["residual, alpha, mean"].differs
    assert rows["in fades, alpha, mean"].difference == pytest.approx(-1.0)
    assert "residual, bravo, mean" not in rows


def test_campaigns_that_cannot_be_compared_are_refused_in_one_line(written, tmp_path, capsys):
    written("a", [3.0, 4.0])
    written("end", [3.0, 4.0], until="end")
    written("none", [None, None])
    for other, said in (("end", "runs end alike"), ("none", "runs that acquired"), ("nowhere", "folder of a campaign")):
        assert main(["campaign", "compare", str(tmp_path / "a"), str(tmp_path / other)]) == 2
        message = capsys.readouterr().err
        assert said in message and message.count("\n") == 1
    assert main(["campaign", "compare", str(tmp_path / "a")]) == 2
    assert "expected the folders of two campaigns, found 1" in capsys.readouterr().err


def test_the_command_prints_both_the_difference_and_the_pairs(written, tmp_path, capsys):
    written("a", [3.0, 4.0, 5.0, 6.0, 7.0])
    written("b", [4.0, 5.0, 6.0, 7.0, 8.0], pitch="30.0")
    assert main(["campaign", "compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    assert "both.flight.acquisition.pitch_urad: – -> 30.0" in said
    assert "5 pairs of runs with the same seed" in said
    mean = next(line for line in said.splitlines() if line.startswith("acquisition time, mean"))
    assert mean.split()[3:] == ["5", "6", "1", "(1", "to", "1", "s", "*)"]
