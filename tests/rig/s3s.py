"""Builds s3s-fs, a strict S3 of the Rust registry, once, under the target folder, and prints where it is.

    s3s.py FOLDER

Pinned, and built with its own lock file and without optimisation. Safe between processes: they take turns.
"""

import fcntl
import os
import pathlib
import subprocess
import sys

VERSION = "0.14.1"


def main(folder: str) -> int:
    """Builds it where it is not there; the exit code."""
    root = pathlib.Path(folder) / VERSION
    program = root / "bin" / "s3s-fs"
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            build(root)
    print(program)
    return 0


def build(root: pathlib.Path) -> None:
    """Has cargo build it, into a folder of its own that is not needed afterwards."""
    command = ["cargo", "install", "s3s-fs", "--version", VERSION, "--locked", "--debug", "--features", "binary"]
    command += ["--root", str(root), "--target-dir", str(root / "target")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "RUST"))}
    # Those that say where cargo is and where it keeps what it has downloaded.
    homes = {name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN") if name in os.environ}
    subprocess.run(command, env={**kept, **homes, "CARGO_PROFILE_DEV_DEBUG": "0"}, check=True, stdout=sys.stderr)
    subprocess.run(["rm", "-rf", str(root / "target")], check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
