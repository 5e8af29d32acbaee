#!/usr/bin/env python3
"""Makes crates/relay/src/prices/catalogue.json, the price catalogue that the relay is built with.

Source: the data of the `genai-prices` crate in Cargo.lock (Pydantic, MIT), which that crate does
not expose, trimmed to the providers and fields that the relay uses; the rates stay as they are
written. Added from the `litellm` package (MIT): the price of Claude's fast mode, which the first
source lacks.

    scripts/snapshot-prices.py            # fetches litellm with pip, without installing it
    scripts/snapshot-prices.py FILE       # uses FILE as litellm's model_prices_and_context_window
"""

import glob
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "crates/relay/src/prices/catalogue.json"
# In the order in which a name that points to none of them is looked for. zhipuai is left out: it
# lists Z.AI's models in converted yuan at the cheapest of several tiers.
PROVIDERS = [
    "anthropic", "openai", "google", "aws", "azure", "x-ai", "deepseek", "moonshotai", "zai",
    "minimax", "mistral", "meta", "groq", "openrouter",
]
TOKEN_RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok",
               "cache_write_1h_mtok")
RATES = (*TOKEN_RATES, "web_searches_kcount")


def genai_prices():
    """The crate's data and version."""
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--format-version=1", "--locked"], cwd=ROOT))
    crate = next(p for p in metadata["packages"] if p["name"] == "genai-prices")
    path = pathlib.Path(crate["manifest_path"]).parent / "data/prices.json"
    return json.loads(path.read_text(), parse_float=Decimal), crate["version"]


def litellm(path):
    """LiteLLM's table and version."""
    if path:
        return json.loads(pathlib.Path(path).read_text(), parse_float=Decimal), "unknown"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.check_call(["pip", "download", "--quiet", "--no-deps", "litellm", "-d", folder])
        (wheel,) = glob.glob(f"{folder}/litellm-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            table = archive.read("litellm/model_prices_and_context_window_backup.json")
        version = pathlib.Path(wheel).name.split("-")[1]
        return json.loads(table, parse_float=Decimal), version


def kept_rates(prices):
    return {key: rate for key, rate in prices.items() if key in RATES and rate is not None}


def kept_model(model):
    """The model's identity and token prices; None if it has no price a token."""
    prices = model["prices"]
    periods = prices if isinstance(prices, list) else [{"prices": prices}]
    if any(p["prices"] and "input_mtok" not in p["prices"] for p in periods):
        return None
    kept = {"id": model["id"], "match": model["match"]}
    periods = [{**p, "prices": kept_rates(p["prices"])} for p in periods]
    kept["prices"] = periods if isinstance(prices, list) else periods[0]["prices"]
    variants = [{**v, "prices": kept_rates(v["prices"])} for v in model.get("price_variants", [])]
    variants = [v for v in variants if v["prices"] and v["when"].keys() <= {"service_tier", "processing"}]
    if variants:
        kept["price_variants"] = variants
    return kept


def scaled(rate, factor):
    if isinstance(rate, dict):
        tiers = [{**tier, "price": scaled(tier["price"], factor)} for tier in rate["tiers"]]
        return {"base": scaled(rate["base"], factor), "tiers": tiers}
    return (Decimal(rate) * factor).normalize()


def add_fast_modes(models, table):
    for model in models:
        factor = table.get(model["id"], {}).get("provider_specific_entry", {}).get("fast")
        if factor is None:
            continue
        assert isinstance(model["prices"], dict), f"{model['id']}: a dated price cannot be scaled"
        prices = {key: scaled(model["prices"][key], Decimal(factor))
                  for key in TOKEN_RATES if key in model["prices"]}
        model.setdefault("price_variants", []).append({"when": {"speed": "fast"}, "prices": prices})


def plain(value):
    """Numbers as short as they can be written."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(value)


def main():
    data, version = genai_prices()
    table, table_version = litellm(sys.argv[1] if len(sys.argv) > 1 else None)
    by_id = {provider["id"]: provider for provider in data}
    lines = []
    for name in PROVIDERS:
        provider = by_id[name]
        models = [kept for kept in map(kept_model, provider["models"]) if kept]
        if name == "anthropic":
            add_fast_modes(models, table)
        names = provider.get("model_match")
        if name == "zai":
            names = by_id["zhipuai"]["model_match"]
        head = {"id": name, **({"model_match": names} if names else {})}
        rows = ",\n".join(json.dumps(m, default=plain, separators=(",", ":")) for m in models)
        lines.append(json.dumps(head, separators=(",", ":"))[:-1] + ',"models":[\n' + rows + "\n]}")
    head = {
        "version": f"genai-prices {version}",
        "sources": [f"genai-prices {version}, MIT, Copyright Pydantic Services Inc.",
                    f"litellm {table_version} (fast mode of Claude models), MIT, Copyright Berri AI"],
    }
    text = json.dumps(head)[:-1] + ', "providers": [\n' + ",\n".join(lines) + "\n]}\n"
    json.loads(text)
    TARGET.write_text(text)
    print(f"{TARGET.relative_to(ROOT)}: {len(text)} bytes")


if __name__ == "__main__":
    main()
