"""Sets up a folder of jars from a pinned pom, and compiles the program beside it, once; prints the folder.

    python3 tests/rig/jars.py FOLDER SOURCES

SOURCES has a `pom.xml`, whose dependencies are copied, and Java files. The result is FOLDER/<hash of SOURCES>: other
sources, another one. Safe to call from many processes at a time: one sets it up under a file lock, the others wait.
Needs Maven and a JDK. Never writes outside FOLDER and Maven's own cache.
"""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

TRIES = 3


def main(folder: pathlib.Path, sources: pathlib.Path) -> str:
    """Sets the folder up unless it is there already, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(file for file in sources.iterdir() if file.suffix in (".xml", ".java"))
    place = folder / hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    with open(folder / f"{place.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The stamp is written last: a folder without one was given up half way.
        stamp = place / "complete"
        if not stamp.exists():
            shutil.rmtree(place, ignore_errors=True)
            create(place, sources)
            stamp.touch()
    return str(place)


def create(place: pathlib.Path, sources: pathlib.Path) -> None:
    """Copies the jars and compiles."""
    pom = ["--quiet", "--batch-mode", "--file", str(sources / "pom.xml")]
    run(["mvn", *pom, "dependency:copy-dependencies", f"-DoutputDirectory={place}"])
    run(["javac", "-cp", f"{place}/*", "-d", str(place), *map(str, sources.glob("*.java"))])


def run(command: list) -> None:
    """Runs a command, its output on stderr; ends this process with a clear message if it fails each time: what it
    downloads from may be out of reach for a moment."""
    if not shutil.which(command[0]):
        sys.exit(f"jars.py: {command[0]} is missing: `apt-get install maven default-jdk-headless`")
    if not any(subprocess.run(command, stdout=sys.stderr).returncode == 0 for _ in range(TRIES)):
        sys.exit(f"jars.py: failed: {' '.join(command)}\njars.py: is Maven Central within reach?")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(main(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()))
