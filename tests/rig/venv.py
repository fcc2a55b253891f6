"""Sets up a virtual environment from pinned requirements, once, and prints the path of its Python.

    python3 tests/rig/venv.py FOLDER REQUIREMENTS

The environment is FOLDER/<hash of the requirements and this Python>: other requirements, another one. Safe to call
from many processes at a time: one sets it up under a file lock, the others wait. Needs the standard library
alone. Where `ensurepip` is missing (Debian without python3-venv) it uses the system's own pip, if there is one,
to fill the environment from outside. Never writes outside FOLDER.
"""

import fcntl
import hashlib
import importlib.util
import pathlib
import shutil
import subprocess
import sys

TRIES = 3
REMEDY = "install the missing package with the system's package manager: `apt-get install python3-venv`"


def main(folder: pathlib.Path, requirements: pathlib.Path) -> str:
    """Sets the environment up unless it is there already, and returns the path of its Python."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / key(requirements)
    python = place / "bin" / "python"
    with open(folder / f"{place.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The stamp is written last: an environment without one was given up half way.
        stamp = place / "complete"
        if not stamp.exists():
            shutil.rmtree(place, ignore_errors=True)
            create(place, python, requirements)
            stamp.touch()
    return str(python)


def key(requirements: pathlib.Path) -> str:
    """The environment's name: what it holds and for which Python."""
    seed = requirements.read_bytes() + sys.version.encode() + sys.executable.encode()
    return hashlib.sha256(seed).hexdigest()[:16]


def create(place: pathlib.Path, python: pathlib.Path, requirements: pathlib.Path) -> None:
    """Makes the environment and installs the requirements into it."""
    # Compiling every module of every package takes longer than compiling those that get imported.
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", str(requirements)]
    if importlib.util.find_spec("ensurepip"):
        run([sys.executable, "-m", "venv", str(place)])
        run([str(python), "-m", "pip", *install])
    elif importlib.util.find_spec("venv") and importlib.util.find_spec("pip"):
        run([sys.executable, "-m", "venv", "--without-pip", str(place)])
        run([sys.executable, "-m", "pip", "--python", str(python), *install])
    else:
        sys.exit(f"venv.py: {sys.executable} has neither ensurepip nor pip; {REMEDY}")


def run(command: list) -> None:
    """Runs a command, its output on stderr; ends this process with a clear message if it fails each time: what it
    downloads from may be out of reach for a moment."""
    if not any(subprocess.run(command, stdout=sys.stderr).returncode == 0 for _ in range(TRIES)):
        sys.exit(f"venv.py: failed: {' '.join(command)}\nvenv.py: is a package index within reach?")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(main(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2])))
