"""`beamlock campaign compare A B`."""

from pathlib import Path

_WIDEST = 60


def compare(a: Path, b: Path) -> int:
    """Print two campaigns side by side. Returns 0."""
    from hil import campaign_compare
    from hil.campaign_report.data import load

    one, other = load(a), load(b)
    found = campaign_compare.compare(one, other)
    print(f"A  {a}: {one.runs} runs of {one.plan.scenario.name}")
    print(f"B  {b}: {other.runs} runs of {other.plan.scenario.name}")
    for key, value_a, value_b in found.keys:
        print(f"   {key}: {_short(value_a)} -> {_short(value_b)}")
    if not found.keys:
        print("   the same in every key")
    how = f"{found.pairs} pairs of runs with the same seed that acquired in both" if found.pairs else "no pairs of runs"
    print(f"\n{how}; intervals of 95 %, * where zero is outside")
    print(f"{'':30}{'A':>10}{'B':>10}{'B - A':>10}")
    for row in found.rows:
        interval = f"{row.low:.3g} to {row.high:.3g} {row.unit}{' *' if row.differs else ''}"
        print(f"{row.name:30}{row.a:10.4g}{row.b:10.4g}{row.difference:10.3g}  ({interval})")
    tests = ", ".join(f"{name} {value:.2g}" for name, value in found.p_values.items())
    print(f"p of equal acquisition times: {tests}")
    return 0


def _short(value: str) -> str:
    return value if len(value) <= _WIDEST else f"{value[:_WIDEST]} ..."
