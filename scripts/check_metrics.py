"""Looks whether the dashboard and the alerts ask for metrics that exist, in queries that Prometheus can read, and whether
panels that join what may be absent show what they should.

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


# What panels show, by title: series and their values, a minute apart, and the value that stands there at the end of them.
# None is nothing at all.
CALLS = 'crs_calls_total{service="claude",outcome="%s",status="%s"}'
SHOWN = [
    ("Journal", {"crs_journal_full": "0", "crs_database_behind": "0"}, 0),
    ("Journal", {"crs_journal_full": "0", "crs_database_behind": "1"}, 1),
    ("Journal", {"crs_journal_full": "1", "crs_database_behind": "0"}, 2),
    ("Journal", {"crs_journal_full": "1", "crs_database_behind": "1"}, 3),
    ("Relays up", {"crs_build_info": "1"}, 1),
    ("Relays up", {"up": "0"}, 0),
    ("Calls that failed, 5 min", {CALLS % ("completed", "2xx"): "0+30x9"}, 0),
    ("Calls that failed, 5 min", {CALLS % ("completed", "2xx"): "0+30x9", CALLS % ("cut", "2xx"): "0+10x9"}, 0.25),
    ("Calls that failed, 5 min", {"crs_build_info": "1"}, None),
    ("Error rate", {CALLS % ("completed", "2xx"): "0+30x9"}, 0),
    ("Error rate", {CALLS % ("completed", "2xx"): "0+30x9", CALLS % ("failed", "5xx"): "0+10x9"}, 0.25),
    ("Open files", {"process_open_fds": "7"}, None),
    ("Open files", {"process_open_fds": "7", "crs_build_info": "1"}, 7),
]


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


def without_variables(query: str) -> str:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


def shown_otherwise(promtool: str, dashboard: dict) -> str:
    """What promtool says of panels that do not show what SHOWN has of them; nothing if all do."""
    panels = {panel["title"]: panel for panel in dashboard["panels"]}
    tests = []
    for number, (title, series, value) in enumerate(SHOWN):
        if title not in panels:
            return f"there is no panel {title}"
        for target in panels[title]["targets"]:
            # Labels of what is found depend on the query and are no matter here.
            query = f"sum({without_variables(target['expr'])})"
            samples = [] if value is None else [{"labels": "{}", "value": value}]
            tests.append(
                {
                    "name": f"{number}: {title}",
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [
                        {
                            "expr": query,
                            "eval_time": "9m" if any("+" in it for it in series.values()) else "0m",
                            "exp_samples": samples,
                        }
                    ],
                }
            )
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"evaluation_interval": "1m", "tests": tests}, file)
        file.flush()
        run = subprocess.run([promtool, "test", "rules", file.name], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def unreadable(promtool: str, queries: list[str]) -> str:
    """What promtool says of queries that it cannot read; nothing if it can."""
    rules = [
        {"record": f"dashboard:query:{number}", "expr": without_variables(query)} for number, query in enumerate(queries)
    ]
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
        dashboard = json.loads(path.read_text())
        queries = expressions(dashboard)
        for name in sorted({name for _, query in queries for name in NAME.findall(query)}):
            asked += 1
            if name not in names:
                faults.append(f"{path}: {name} does not exist")
        said = unreadable(sys.argv[1], [query for field, query in queries if field == "expr"])
        said = said or shown_otherwise(sys.argv[1], dashboard)
        if said:
            faults.append(f"{path}: {said}")
    if not asked:
        faults.append("no rule and no dashboard asks for anything")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
