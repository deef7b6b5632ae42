#!/usr/bin/env python3
"""Figures and pictures of `make experiments` become those of docs/experiments.md.

usage: tools/experiments_doc.py RESULTS [DOCS]

What stands between `<!-- a1 -->` and `<!-- end -->` is written from RESULTS/a1.json, and so on; the
pictures are copied. Everything else of the page is typed by hand and says nothing that another run
would change.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import plot_experiments as plots

ROOT = Path(__file__).resolve().parent.parent
BLOCK = r"(<!-- {} -->\n).*?(<!-- end -->\n)"


def table(head, rows):
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def bullets(sentences):
    return "".join(f"* {sentence}\n" for sentence in sentences)


def command_of(about):
    """Without the folder, which is this machine's."""
    words = list(about["command"])
    if "--out" in words:
        place = words.index("--out")
        del words[place : place + 2]
    return " ".join(words)


def write_about(results):
    about = results["a1"]["about"]
    machine = about["machine"]
    docker = about.get("docker")
    cpu = plots.cpu_model()
    return (
        f"`{command_of(about)}`: roost {about['version']}, seed {about['seed']}; "
        f"{machine['system']} {machine['release']}, {machine['architecture']}, {machine['cores']} cores"
        + (f" ({cpu})" if cpu else "")
        + f"; replicas are {'containers' if docker else 'processes'}.\n"
    )


def write_a1(results):
    """The ring of the assignment is a row of A-4."""
    head, rows = plots.rows_a1(results["a1"])
    step = plots.at(plots.default_classic(results["a4"]), 3)
    counts = list(step["counts"].values())
    variation, peak = plots.evenness(counts)
    rows[-1][0] = f"roost, `{results['a1']['scheme']}`"
    rows.append(
        [
            "roost, the assignment's ring", " / ".join(plots.number(n) for n in counts),
            plots.percent(variation, 1), f"{peak:.2f}", f"{plots.number(step['lost'])} lost",
        ]
    )  # fmt: skip
    return bullets(plots.observe_a1(results["a1"])) + "\n" + table(head, rows)


def write_a2(results):
    return bullets(plots.observe_a2(results["a2"])) + "\n" + table(*plots.rows_a2(results["a2"]))


def write_a3(results):
    return bullets(plots.observe_a3(results["a3"]))


def write_a4(results):
    return bullets(plots.observe_a4(results["a4"]))


def write_mixed(results):
    first = next(plots.observe_mixed(results["mixed"]))
    return bullets([first]) + "\n" + table(*plots.rows_mixed(results["mixed"]))


BLOCKS = {
    "about": write_about, "a1": write_a1, "a2": write_a2, "a3": write_a3, "a4": write_a4, "mixed": write_mixed,
}  # fmt: skip


def fill(page, results):
    """The page with its blocks written; a ValueError where it has none of that name."""
    for name, write in BLOCKS.items():
        text = write(results)
        page, count = re.subn(
            BLOCK.format(name), lambda found, text=text: found[1] + text + found[2], page, flags=re.S
        )
        if count != 1:
            raise ValueError(f"{count} blocks '<!-- {name} -->'")
    return page


def main(arguments):
    folder = Path(arguments[0])
    docs = Path(arguments[1]) if len(arguments) > 1 else ROOT / "docs"
    parts = [part for part in plots.PARTS if part.name in BLOCKS]
    needed = [f"{part.name}.json" for part in parts]
    needed += [f"{name}.png" for part in parts for name in part.pictures]
    missing = [name for name in needed if not (folder / name).exists()]
    if missing:
        print(f"{folder} lacks {', '.join(missing)}: make experiments", file=sys.stderr)
        return 1
    results = {
        part.name: json.loads((folder / f"{part.name}.json").read_text(encoding="utf-8")) for part in parts
    }
    path = docs / "experiments.md"
    path.write_text(fill(path.read_text(encoding="utf-8"), results), encoding="utf-8")
    (docs / "experiments").mkdir(exist_ok=True)
    for name in needed:
        if name.endswith(".png"):
            shutil.copyfile(folder / name, docs / "experiments" / name)
    print(f"wrote {path} and its pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
