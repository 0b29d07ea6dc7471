"""The C load generator that stands beside the project, compiled once where it and a compiler are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def tools() -> Path:
    """Its folder: LIAISON_TOOLS, else ``shared/tools`` beside the project."""
    return Path(os.environ.get("LIAISON_TOOLS", Path(__file__).parents[3] / "shared" / "tools"))


def require_load_tool(folder: Path) -> Path:
    """The compiled program; skips the test, saying why, where it cannot be had."""
    source, compiler = tools() / "mllp_load.c", shutil.which("cc")
    if not source.exists():
        pytest.skip(f"{source} is not there (LIAISON_TOOLS names its folder)")
    if compiler is None:
        pytest.skip("no C compiler (cc) to build mllp_load.c with")
    program = folder / "mllp_load"
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True, capture_output=True)
    return program
