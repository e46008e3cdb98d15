"""The quantizer vectors of a reference study, one a line, under our configs' names.

    python extract_quant.py GOLDENS.json OUT.json

GOLDENS.json is that study's machine-readable file: bitsandbytes, ml_dtypes, gguf, hqq and NumPy on 256 weights of the generator of
statistics.json (`heavy42`). Only numbers are taken over, none is computed here. Vectors without a config of ours keep their names:
the tests say what each is held against."""

import json
import re
import sys

# How the study spells what we have another word for.
CONFIGS = {
    "nf4_bs64": "nf4-block64",
    "bnb_fp4_bs64": "fp4-block64",
    "nf4_bs128": "nf4-block128",
    "bnb_fp4_bs128": "fp4-block128",
    "nf4_bs64_double": "nf4-block64-double",
    "mxint8_floor_sym": "mxint8",
    "nvfp4_two_level": "nvfp4",
    "gguf_MXFP4": "mxfp4",
    "hqq_4b_g64_axis1_legacy": "hqq-int4-group64",
}
PATTERNS = [
    (r"rtn_sym_(\d)b_tensor", r"int\1-tensor"),
    (r"rtn_sym_(\d)b_g(\d+)", r"int\1-group\2"),
    (r"rtn_asym_gptq_(\d)b_tensor", r"int\1-asym-tensor"),
    (r"rtn_asym_gptq_(\d)b_g(\d+)", r"int\1-asym-group\2"),
    (r"fp8_(e4m3|e5m2)(fn)?_pertensor", r"fp8-\1-tensor"),
    (r"fp8_(e4m3|e5m2)(fn)?_rows64", r"fp8-\1-channel"),
    (r"mxfp4_e2m1_(\w+)", r"mxfp4-\1"),
    (r"mxfp([68])_(\w+?)_(\w+)", r"mxfp\1-\2-\3"),
    (r"gguf_(Q\d_\d)", lambda found: "candle-" + found[1].lower()),
]
TABLES = ["nf4_code", "nf4_midpoints", "bnb_fp4_code_bitorder", "bnb_dynamic8_signed", "rounding_ties"]


def config(name):
    if name in CONFIGS:
        return CONFIGS[name]
    for pattern, spelling in PATTERNS:
        found = re.fullmatch(pattern, name)
        if found:
            return found.expand(spelling).removesuffix("-floor") if isinstance(spelling, str) else spelling(found)
    return None


def main(goldens, path):
    with open(goldens, encoding="utf-8") as file:
        study = json.load(file)
    rows = []
    for name, values in study["quantizers_heavy42"].items():
        columns = 64 if name.endswith("rows64") else 256
        rows.append({"golden": name, "config": config(name), "columns": columns, **values})
    parts = {
        "quantizers": rows,
        "clipping": study["clipping_heavy42"],
        "tables": {name: study[name] for name in TABLES},
    }
    with open(path, "w", encoding="utf-8") as file:
        lines = ",\n".join("  " + json.dumps(row) for row in rows)
        file.write(f'{{"quantizers": [\n{lines}\n ],\n')
        file.write(",\n".join(f' "{name}": {json.dumps(parts[name])}' for name in ("clipping", "tables")))
        file.write("\n}\n")


main(*sys.argv[1:])
