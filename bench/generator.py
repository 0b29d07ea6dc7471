"""The C load generator that stands beside the project (``shared/tools``, or the folder that LIAISON_TOOLS names)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
TOOLS = Path(os.environ.get("LIAISON_TOOLS", PROJECT.parent / "shared" / "tools"))


def build(folder: Path) -> Path:
    """Compile it. Raises SystemExit with what is missing."""
    compiler = shutil.which("cc")
    if compiler is None or not (TOOLS / "mllp_load.c").exists():
        raise SystemExit(f"bench needs cc and {TOOLS / 'mllp_load.c'} (LIAISON_TOOLS names its folder)")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "mllp_load"
    subprocess.run([compiler, "-O2", "-o", str(program), str(TOOLS / "mllp_load.c")], check=True)
    return program


def load(
    program: Path, port: int, *, connections: int, seconds: float, rate: float = 0.0, acked: Path | None = None
) -> dict[str, Any]:
    """Run it; its JSON line. Raises SystemExit when an answer was wrong or a connection lost."""
    options = ["-c", str(connections), "-t", str(seconds), "-s", str(min(2.0, seconds / 5)), "-r", str(rate)]
    options += ["-o", str(acked)] if acked is not None else []
    messages = [str(path) for path in sorted((TOOLS / "messages").glob("*.hl7"))]
    done = subprocess.run([str(program), *options, "127.0.0.1", str(port), *messages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mllp_load: {done.stderr}{done.stdout}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
