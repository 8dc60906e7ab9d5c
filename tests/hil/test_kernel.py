"""The cache of compiled code knows of every module that the kernel was fused from."""

from pathlib import Path
from types import ModuleType

from hil import kernel
from sim import gimbal


def test_thefingerprint_of_changes_with_a_source(tmp_path):
    copy = ModuleType("copy")
    copy.__file__ = str(tmp_path / "gimbal.py")
    text = Path(gimbal.__file__).read_text()
    (tmp_path / "gimbal.py").write_text(text)
    assert kernel.fingerprint_of((copy,)) == kernel.fingerprint_of((gimbal,))
    (tmp_path / "gimbal.py").write_text(text.replace("1.6", "1.7"))
    assert kernel.fingerprint_of((copy,)) != kernel.fingerprint_of((gimbal,))
