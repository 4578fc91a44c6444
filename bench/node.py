"""Node's packages, which journeys and benchmarks use: installed once beside the environment."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "tests" / "journeys" / "js"
INSTALL_MAX_S = 300


class NodeMissing(Exception):
    """There is no Node here, or its packages cannot be installed; the text says what to do."""


def node_modules() -> Path:
    """The folder of the packages that js/package.json names; raises NodeMissing."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NodeMissing(f"{tool} is missing, which these clients need: install nodejs, npm")
    wanted = (SCRIPTS / "package.json").read_bytes()
    folder = Path(sys.prefix) / f"journeys-{hashlib.sha1(wanted).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_bytes(wanted)
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_MAX_S,
        )
        if done.returncode:
            raise NodeMissing(f"npm install failed:\n{done.stdout}{done.stderr}")
        (folder / "ready").touch()
    return folder / "node_modules"
