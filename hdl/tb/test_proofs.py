"""The proofs of `hdl/formal`: a few of them here, all of them in the nightly target."""

import pytest

from hdl.proofs import proofs, prove

QUICK = ["axis_register:octets_1", "axis_register:cover", "ccsds_sync_marker_insert:octets_1"]


@pytest.mark.parametrize("name", QUICK)
def test_proof(name: str) -> None:
    assert {name: str(verdict) for name, verdict in prove([name]).items()} == {name: "PASS"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in proofs() if name not in QUICK])
def test_every_proof(name: str) -> None:
    assert {name: str(verdict) for name, verdict in prove([name]).items()} == {name: "PASS"}
