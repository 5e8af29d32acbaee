"""Looks whether the dashboard and the alerts ask for metrics that exist, in queries that Prometheus can read.

What exists is in docs/metrics.md, which a test compares with what the program says. The queries of the dashboard are
given to promtool as rules. Usage: check_metrics.py PROMTOOL
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCUMENT = Path("docs/metrics.md")
DASHBOARDS = Path("deploy/grafana")
RULES = Path("deploy/prometheus")
NAME = re.compile(r"\b(?:crs|process)_[a-z0-9_]+")
# What a dashboard leaves to Grafana, by something that Prometheus can read.
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h", "$instance": ".*", "$account": ".*"}


def known() -> set[str]:
    """The names of series, those of histograms in full."""
    rows = re.findall(r"^\| `((?:crs|process)_\w+)` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    names = set()
    for name, kind in rows:
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names.update(name + end for end in ends)
    return names


def expressions(node: object) -> list[tuple[str, str]]:
    """Every query of a dashboard, with the field that it stands in."""
    found = []
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "definition") and isinstance(value, str):
                found.append((key, value))
            else:
                found += expressions(value)
    elif isinstance(node, list):
        for value in node:
            found += expressions(value)
    return found


def unreadable(promtool: str, queries: list[str]) -> str:
    """What promtool says of queries that it cannot read; nothing if it can."""
    for variable, value in VARIABLES.items():
        queries = [query.replace(variable, value) for query in queries]
    rules = [{"record": f"dashboard:query:{number}", "expr": query} for number, query in enumerate(queries)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        # JSON is YAML.
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        run = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def main() -> int:
    names = known()
    faults = [] if names else [f"{DOCUMENT}: no metric is in its tables"]
    asked = 0
    for path in sorted(RULES.glob("*.yml")):
        for name in sorted(set(NAME.findall(path.read_text()))):
            asked += 1
            if name not in names:
                faults.append(f"{path}: {name} does not exist")
    for path in sorted(DASHBOARDS.glob("*.json")):
        queries = expressions(json.loads(path.read_text()))
        for name in sorted({name for _, query in queries for name in NAME.findall(query)}):
            asked += 1
            if name not in names:
                faults.append(f"{path}: {name} does not exist")
        said = unreadable(sys.argv[1], [query for field, query in queries if field == "expr"])
        if said:
            faults.append(f"{path}: {said}")
    if not asked:
        faults.append("no rule and no dashboard asks for anything")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
