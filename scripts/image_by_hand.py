#!/usr/bin/env python3
"""Does what the last stage of the Dockerfile says in a directory that stands for its base image.

    scripts/image_by_hand.py run ROOT           runs its RUN in a chroot, which may take the network
    scripts/image_by_hand.py rest ROOT CRS      does the rest; CRS is what the builder's stage would have made

The rest ends with a script for `sh` that sets what the container begins with: the variables of ENV exported, and
`working_directory`, `entrypoint`, `command`, `health`. What it does not know stops it. All RUN must stand before what they
would need of COPY.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WITHOUT_EFFECT_HERE = {"LABEL", "ARG", "VOLUME", "EXPOSE", "STOPSIGNAL"}


def instructions(text: str):
    """The instructions of the last stage, as name and rest."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    begins = max(index for index, line in enumerate(lines) if line.startswith("FROM "))
    return [line.split(None, 1) for line in lines[begins + 1 :]]


def copy(top: Path, root: Path, crs: Path, rest: str) -> None:
    """The binary comes from another stage, all else from the checkout."""
    *options, source, target = rest.split()
    origin = crs if options else top / source
    if options not in ([], ["--from=builder"]) or (options and source != "/crs"):
        raise SystemExit(f"not known: COPY {rest}")
    shutil.copy(origin, root / target.lstrip("/"))


def run_all(top: Path, root: Path) -> None:
    for name, rest in instructions((top / "Dockerfile").read_text()):
        if name == "COPY":
            return
        if name == "RUN":
            # What a cache mount or a secret would be, nobody gives here.
            if rest.startswith("--"):
                raise SystemExit(f"not known: RUN {rest}")
            environment = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["chroot", root, "/bin/sh", "-c", rest], env=environment, check=True)


def do_the_rest(top: Path, root: Path, crs: Path) -> None:
    copied = False
    begin = {"working_directory": "/", "entrypoint": "", "command": "", "health": ""}
    for name, rest in instructions((top / "Dockerfile").read_text()):
        match name:
            case "RUN" if copied:
                raise SystemExit(f"stands after COPY: RUN {rest}")
            case "COPY":
                copied = True
                copy(top, root, crs, rest)
            case "WORKDIR":
                begin["working_directory"] = rest
                (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "ENV":
                for pair in shlex.split(rest):
                    print("export", "=".join(shlex.quote(part) for part in pair.split("=", 1)))
            case "ENTRYPOINT" | "CMD":
                key = "entrypoint" if name == "ENTRYPOINT" else "command"
                begin[key] = shlex.join(json.loads(rest))
            case "HEALTHCHECK":
                begin["health"] = shlex.join(json.loads(rest.split(" CMD ", 1)[1]))
            case _ if name not in WITHOUT_EFFECT_HERE | {"RUN"}:
                raise SystemExit(f"not known: {name} {rest}")
    for name, value in begin.items():
        print(f"{name}={shlex.quote(value)}")


def main() -> None:
    top = Path(__file__).resolve().parent.parent
    match sys.argv[1:]:
        case ["run", root]:
            run_all(top, Path(root).resolve())
        case ["rest", root, crs]:
            do_the_rest(top, Path(root).resolve(), Path(crs).resolve())
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
