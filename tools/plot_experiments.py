#!/usr/bin/env python3
"""Pictures and a report from what `roost experiment --out DIR` wrote.

usage: plot_experiments.py DIR [NAME]

Reads DIR/a1.json … and writes DIR/a1.png …; without a NAME also DIR/report.html, which needs no other
file. `roost experiment` carries this script in itself and runs it. Exits with 3 where matplotlib is
missing: the report is written then, without pictures.
"""

import base64
import html
import io
import json
import math
import platform
import sys
from datetime import datetime
from pathlib import Path

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import matplotlib.ticker
    import PIL.Image
except ImportError:
    plt = None

NO_MATPLOTLIB = 3
DPI = 150
PALETTE = 64
# Inches; the text is set for a picture that is as wide as a phone, where a wider one would be small.
WIDTH = 7
WIDE = (WIDTH, 4.4)

# Apart in hue for a screen, in lightness for paper; hatches and dashes say it a second time.
DARK, MIDDLE, LIGHT, GREY = "#14375e", "#c8553d", "#9cc5e8", "#8a8a8a"
LINES = [
    {"color": DARK, "linestyle": "-", "marker": "o"},
    {"color": MIDDLE, "linestyle": "--", "marker": "s"},
    {"color": "#4f8fbf", "linestyle": "-.", "marker": "^"},
    {"color": "#222222", "linestyle": ":", "marker": "D"},
    {"color": GREY, "linestyle": "-", "marker": "v"},
]
FILLS = [DARK, LIGHT, MIDDLE, "#e3d4a8", GREY, "#dfe9f2", "#5b8a72", "#f0b7a4"]
EVENTS_WIDTH = 66  # letters of a line below a picture
HATCHES = ["", "//", "", "..", "\\\\", "", "xx", ""]

# What class projects with the same brief have published: counts over three replicas of 10,000
# requests, whatever else they said.
PUBLISHED = [
    ("a published class project", [9642, 227, 70], "61 of 10,000 lost; 360 requests/s"),
    ("another", [8436, 471, 1093], ""),
    ("another", [7527, 1968, 496], ""),
    ("the most even believable one", [3596, 3362, 2893], ""),
]
PUBLISHED_RATES = (360, 751)  # the slowest and the fastest requests/s that was published or measured
PUBLISHED_RECOVERY_S = (1, 8)


# ---- numbers ----


def evenness(counts):
    """(coefficient of variation, peak over average)"""
    average = sum(counts) / len(counts)
    deviation = math.sqrt(sum((n - average) ** 2 for n in counts) / len(counts))
    return deviation / average, max(counts) / average


def chance_cv(replicas, requests):
    """The coefficient of variation that even shares have by chance alone."""
    return math.sqrt((replicas - 1) / requests)


def number(value, digits=0):
    return f"{value:,.{digits}f}"


def percent(value, digits=2):
    return f"{100 * value:.{digits}f} %"


def milliseconds(value):
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def chance_text(p):
    return "–" if p is None else f"{p:.3f}"


def label_of(row):
    if row["scheme"] != "classic":
        return row["scheme"]
    return f"classic, {row['request_hash']} / {row['server_hash']}"


def at(row, replicas):
    """The step of a row with that many replicas."""
    return next(step for step in row["steps"] if step["replicas"] == replicas)


def classic_rows(a4):
    return [row for row in a4["rows"] if row["scheme"] == "classic"]


def other_rows(a4):
    return [row for row in a4["rows"] if row["scheme"] != "classic"]


# ---- pictures ----


def setup():
    plt.rcParams.update(
        {
            "font.size": 11.5,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.7,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "hatch.linewidth": 0.6,
            "legend.edgecolor": "none",
            "legend.framealpha": 0.9,
        }
    )


def save(figure, folder, name):
    path = folder / f"{name}.png"
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI)
    plt.close(figure)
    # A few flat colours and their edges: a palette holds them in a third of the bytes.
    picture = PIL.Image.open(drawn).convert("RGB")
    picture = picture.quantize(PALETTE, PIL.Image.Quantize.MAXCOVERAGE, dither=PIL.Image.Dither.NONE)
    picture.save(path, optimize=True, dpi=(DPI, DPI))
    print(f"wrote {path}")


def plot_a1(result, folder):
    figure, (left, right) = plt.subplots(
        1, 2, figsize=WIDE, layout="constrained", width_ratios=(1.1, 1)
    )
    names = list(result["counts"])
    counts = list(result["counts"].values())
    expected = [result["expected"][name] for name in names]
    bars = left.bar(names, counts, color=LIGHT, edgecolor=DARK, hatch="//", label="answered")
    left.plot(names, expected, "_", color="#111111", markersize=40, markeredgewidth=2, label="expected")
    left.bar_label(
        bars, [number(count) for count in counts], label_type="center",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
    left.set(ylabel="requests", xlabel="replica", ylim=(0, 1.2 * max(*counts, *expected)))
    left.set_title(f"{number(result['requests'])} requests\n{number(result['lost'])} lost")
    left.legend(loc="upper right", ncols=2, markerscale=0.35, frameon=False)
    left.grid(axis="x", visible=False)

    total = sum(entry[2] for entry in result["histogram_us"])
    seen, xs, ys = 0, [], []
    for start, end, count in result["histogram_us"]:
        seen += count
        xs.append((start + end) / 2000)
        ys.append(100 * seen / total)
    right.plot(xs, ys, color=DARK, linewidth=2)
    for name, share in (("p50_ms", 50), ("p99_ms", 99)):
        value = result[name]
        right.plot([value], [share], "o", color=MIDDLE, markersize=7)
        right.annotate(
            f"p{share} {value:.2f} ms" if share < 90 else f"p{share}\n{value:.2f} ms",
            (value, share), textcoords="offset points",
            ha="right" if share < 90 else "center",  # off the curve
            xytext=(-9, -4) if share < 90 else (4, -36),
        )  # fmt: skip
    right.set(xscale="log", xlabel="latency, ms (logarithmic)", ylabel="answered by then, % of requests")
    right.set_title(f"{number(result['requests_per_s'])} requests/s\n{result['connections']} connections")
    right.set_ylim(0, 104)
    plain_numbers(right.xaxis)
    save(figure, folder, "a1")


def plot_a2(result, folder):
    steps = result["steps"]
    xs = [step["replicas"] for step in steps]
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 6.6), layout="constrained")
    (load, even), (rate, moved) = axes

    averages = [step["average"] for step in steps]
    lows = [a - min(step["counts"].values()) for a, step in zip(averages, steps)]
    highs = [max(step["counts"].values()) - a for a, step in zip(averages, steps)]
    load.errorbar(xs, averages, yerr=[lows, highs], capsize=5, linewidth=2, **LINES[0])
    load.set(ylabel="requests per replica", ylim=(0, 1.12 * max(a + h for a, h in zip(averages, highs))))
    load.set_title("average; whiskers: least, most")

    measured = [100 * step["cv"] for step in steps]
    by_chance = [100 * chance_cv(n, step["requests"]) for n, step in zip(xs, steps)]
    even.plot(xs, measured, label="measured", linewidth=2, **LINES[0])
    even.plot(xs, by_chance, label="chance alone", linewidth=2, **LINES[1])
    even.set(ylabel="coefficient of variation, %", ylim=(0, 1.35 * max(*measured, *by_chance)))
    even.set_title("evenness")
    even.legend()

    rates = [step["requests_per_s"] / 1000 for step in steps]
    rate.plot(xs, rates, linewidth=2, **LINES[0])
    rate.set(ylabel="thousand requests per second", ylim=(0, 1.12 * max(rates)))
    rate.set_title("speed, all on one machine")

    later = [step for step in steps if "moved" in step]
    if later:
        places = [step["replicas"] for step in later]
        moved.bar(
            [n - 0.2 for n in places], [100 * step["moved_of_requests"] for step in later], 0.38,
            color=LIGHT, edgecolor=DARK, hatch="//", label="moved",
        )  # fmt: skip
        moved.bar(
            [n + 0.2 for n in places], [100 * step["minimum"] for step in later], 0.38,
            color=DARK, label="its share",
        )  # fmt: skip
        moved.set_ylim(0, 1.35 * max(100 * step["moved_of_requests"] for step in later))
        moved.legend()
    moved.set(ylabel="keys, %")
    moved.set_title("keys moved by a newcomer")
    for axis in axes.flat:
        axis.set(xlabel="number of replicas", xticks=xs)
    moved.set(xticks=[step["replicas"] for step in later])
    save(figure, folder, "a2")


def mark_events(axes, events, name_on):
    """A line through all axes for each event, named on one of them by a number."""
    for index, event in enumerate(events, 1):
        for axis in axes:
            axis.axvline(event["at_ms"] / 1000, color="#555555", linewidth=0.9, linestyle=":")
        name_on.annotate(
            str(index), (event["at_ms"] / 1000, 1.015), xycoords=("data", "axes fraction"),
            ha="center", fontsize=9,
            bbox={"boxstyle": "circle,pad=0.18", "facecolor": "white", "edgecolor": "#555555"},
        )  # fmt: skip


def name_event(event):
    """What is done to a replica, or what it does."""
    does = event["what"] in ("goes on", "stutters", "is well")
    return f"{event['replica']} {event['what']}" if does else f"{event['what']} {event['replica']}"


def name_events(events):
    """"1 kill Server 2 · 2 …" as one text."""
    words = [f"{index} {name_event(event)}" for index, event in enumerate(events, 1)]
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > EVENTS_WIDTH:
            lines.append(line)
            line = ""
        line += ("   " if line else "") + word
    return "\n".join([*lines, line])


def plain_numbers(axis):
    """A logarithmic axis says 0.1, 1, 10 and not powers."""
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))


def rebin(series, pieces):
    """(seconds, answers per second, largest p99) of groups of moments."""
    step = series[1]["ms"] - series[0]["ms"] if len(series) > 1 else 1
    for first in range(0, len(series) - pieces + 1, pieces):
        group = series[first : first + pieces]
        answers = sum(moment["answers"] for moment in group)
        yield (
            (group[0]["ms"] + step * pieces / 2) / 1000,
            answers / (step * pieces / 1000),
            max(moment["p99_ms"] for moment in group),
        )


def plot_a3(result, folder):
    kills = result["kills"]
    series = kills["series"][:-1]
    width = (series[1]["ms"] - series[0]["ms"]) / 1000
    seconds = [moment["ms"] / 1000 + width / 2 for moment in series]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH, 6), sharex=True, layout="constrained")
    top.plot(seconds, [moment["answers"] / width for moment in series], color=DARK, linewidth=1.6, label="answered")
    top.axhline(kills["rate"], color=MIDDLE, linestyle="--", linewidth=1.2, label="asked for")
    top.set(ylabel="requests per second", ylim=(0, None))
    top.set_title(
        f"{number(kills['requests'])} requests at {number(kills['rate'])} a second: "
        f"{number(kills['lost'])} failed",
        pad=24,
    )
    top.legend(loc="upper right", ncols=2)
    top.set_ylim(0, 1.3 * max(moment["answers"] / width for moment in series))
    for name, label, style in (
        ("max_ms", "largest", {"color": MIDDLE, "linestyle": ":", "linewidth": 1.8}),
        ("p99_ms", "p99", {"color": "#4f8fbf", "linestyle": "-.", "linewidth": 1.4}),
        ("p50_ms", "p50", {"color": DARK, "linestyle": "-", "linewidth": 1.8}),
    ):
        bottom.plot(seconds, [max(moment[name], 0.01) for moment in series], label=label, **style)
    bottom.set(yscale="log", ylabel="latency, ms (logarithmic)")
    bottom.set_xlabel("time, s\n" + name_events(kills["events"]))
    bottom.set_ylim(None, 8 * max(moment["max_ms"] for moment in series))
    bottom.legend(loc="upper right", ncols=3)
    plain_numbers(bottom.yaxis)
    mark_events((top, bottom), kills["events"], top)
    save(figure, folder, "a3")


def plot_a4_grid(result, folder):
    rows = classic_rows(result)
    requests = list(dict.fromkeys(row["request_hash"] for row in rows))
    servers = list(dict.fromkeys(row["server_hash"] for row in rows))
    figure, axes = plt.subplots(
        len(requests), len(servers), figsize=(WIDTH, 10.5), sharex=True, sharey=True, layout="constrained"
    )
    for row in rows:
        i, j = requests.index(row["request_hash"]), servers.index(row["server_hash"])
        axis, step = axes[i][j], at(row, 3)
        total = max(1, sum(step["counts"].values()))
        shares = [100 * count / total for count in step["counts"].values()]
        axis.bar(["1", "2", "3"], shares, color=LIGHT, edgecolor=DARK, width=0.75)
        axis.axhline(100 / 3, color="#333333", linewidth=0.8, linestyle="--")
        axis.text(
            0.97, 0.97, f"CV {100 * step['cv']:.0f} %\n{row['lookup_ns']:.0f} ns", transform=axis.transAxes,
            ha="right", va="top", fontsize=9, linespacing=1.1,
        )  # fmt: skip
        axis.set_ylim(0, 150)  # the text stands above the bars
        axis.set_yticks([0, 50, 100])
        axis.tick_params(labelsize=9)
        axis.grid(axis="x", visible=False)
        if i == 0:
            axis.set_title(row["server_hash"], fontsize=11)
        if j == 0:
            axis.set_ylabel(row["request_hash"], fontsize=9.5)
    figure.supxlabel(
        "replica (columns: the function of virtual servers; CV: coefficient\nof variation; ns: a look-up takes)",
        fontsize=11,
    )
    figure.supylabel("share of requests, % (rows: the function of requests)", fontsize=11)
    save(figure, folder, "a4")


def best_classic(result):
    return min(classic_rows(result), key=lambda row: at(row, 3)["cv"])


def default_classic(result):
    return next(
        row for row in classic_rows(result)
        if (row["request_hash"], row["server_hash"]) == ("quadratic", "quadratic")
    )  # fmt: skip


def excess_of(row):
    """Keys moved beyond the minimum, on average over the steps, or None."""
    values = [step["excess"] for step in row["steps"] if "excess" in step]
    return sum(values) / len(values) if values else None


def plot_a4_schemes(result, folder):
    rows = [*other_rows(result), best_classic(result), default_classic(result)]
    names = [row["scheme"] for row in rows[:-2]]
    names += [f"best classic:\n{rows[-2]['request_hash']} /\n{rows[-2]['server_hash']}"]
    names += ["classic:\nquadratic /\nquadratic"]
    most = max(step["replicas"] for step in rows[0]["steps"])
    places = range(len(rows))
    figure, (even, moved, lookup) = plt.subplots(
        1, 3, figsize=(WIDTH, 5.6), sharey=True, layout="constrained", width_ratios=(1.25, 1, 1)
    )
    kinds = [(-0.2, 3, LIGHT, "//"), (0.2, most, DARK, "")] if most > 3 else [(0, 3, LIGHT, "//")]
    for offset, replicas, fill, hatch in kinds:
        bars = even.barh(
            [place + offset for place in places], [100 * at(row, replicas)["cv"] for row in rows],
            0.76 / len(kinds), color=fill, edgecolor=DARK, hatch=hatch, label=f"{replicas} replicas",
        )  # fmt: skip
        even.bar_label(bars, [f"{100 * at(row, replicas)['cv']:.1f}" for row in rows], padding=2, fontsize=9.5)
    even.set(xlabel="coefficient of\nvariation, %", ylabel="scheme", yticks=list(places), yticklabels=names)
    even.invert_yaxis()
    even.legend(fontsize=9.5, loc="upper right")
    even.margins(x=0.4)
    excess = [excess_of(row) for row in rows]
    bars = moved.barh(places, [100 * (value or 0) for value in excess], 0.6, color=LIGHT, edgecolor=DARK, hatch="//")
    moved.bar_label(
        bars, ["no keys" if value is None else f"{100 * value:.2f}" for value in excess], padding=2, fontsize=9.5
    )
    moved.set(xlabel="keys moved beyond\nthe minimum, %")
    moved.set_xlim(0, 1.8 * max(0.01, *(100 * (value or 0) for value in excess)))
    moved.locator_params(axis="x", nbins=3)
    bars = lookup.barh(places, [row["lookup_ns"] for row in rows], 0.6, color=LIGHT, edgecolor=DARK, hatch="//")
    lookup.bar_label(bars, [f"{row['lookup_ns']:.1f}" for row in rows], padding=2, fontsize=9.5)
    lookup.set(xlabel="look-up, ns")
    lookup.margins(x=0.35)
    for axis in (even, moved, lookup):
        axis.grid(axis="y", visible=False)
    save(figure, folder, "a4_schemes")


def plot_a4(result, folder):
    plot_a4_grid(result, folder)
    plot_a4_schemes(result, folder)


def plot_mixed(result, folder):
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(WIDTH, 7), sharex=True, layout="constrained", height_ratios=(1, 1.7)
    )
    totals = {}
    whole = min(len(part["series"]) for part in result["parts"]) - 1
    for index, part in enumerate(result["parts"]):
        moments = list(rebin(part["series"][:whole], max(2, whole // 28)))
        for second, rate, _ in moments:
            totals[second] = totals.get(second, 0) + rate
        moments = [moment for moment in moments if moment[1] > 0]
        style = dict(LINES[index % len(LINES)], markevery=max(1, len(moments) // 12), markersize=4)
        bottom.plot(
            [m[0] for m in moments], [max(m[2], 0.05) for m in moments], linewidth=1.4,
            label=f"{part['name']} ({part['rate']:.0f}/s)", **style,
        )  # fmt: skip
    lost = sum(part["lost"] for part in result["parts"])
    requests = sum(part["requests"] for part in result["parts"])
    top.plot(sorted(totals), [totals[s] for s in sorted(totals)], color=DARK, linewidth=1.6)
    top.set(ylabel="answers per second", ylim=(0, 1.2 * max(totals.values())))
    top.set_title(f"{number(requests)} requests of five kinds, {number(lost)} failed", pad=24)
    bottom.set(yscale="log", ylabel="p99 latency, ms (logarithmic)")
    bottom.set_xlabel("time, s\n" + name_events(result["events"]))
    bottom.legend(fontsize=9.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.3))
    plain_numbers(bottom.yaxis)
    mark_events((top, bottom), result["events"], top)
    save(figure, folder, "mixed")


def plot_log(result, folder):
    figure, axis = plt.subplots(figsize=WIDE, layout="constrained")
    names = list(result["counts"])
    pieces = len(result["series"][names[0]])
    group = max(1, pieces // 60)
    width = group * result["piece_ms"] / 1000
    bottom = [0.0] * math.ceil(pieces / group)
    for index, name in enumerate(names):
        series = result["series"][name]
        heights = [sum(series[i : i + group]) / width for i in range(0, pieces, group)]
        axis.bar(
            [i * width for i in range(len(heights))], heights, width, bottom, align="edge",
            color=FILLS[index % len(FILLS)], hatch=HATCHES[index % len(HATCHES)],
            edgecolor="white", linewidth=0.3,
            label=f"{name}: {number(result['counts'][name])}" if index < 12 else None,
        )  # fmt: skip
        bottom = [low + height for low, height in zip(bottom, heights)]
    axis.set(xlabel=f"seconds since {result['first']}", ylabel="requests per second")
    axis.set_title(f"{number(result['requests'])} requests, coefficient of variation {percent(result['cv'])}")
    axis.legend(fontsize=9.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    save(figure, folder, "log")


# ---- what the data say ----


def observe_a1(result):
    cv, requests = result["cv"], result["requests"]
    by_chance = chance_cv(result["replicas"], requests)
    p = result["chi2_p"]
    yield f"{number(result['lost'])} of {number(requests)} requests were lost."
    yield (
        f"The counts vary by {percent(cv)}; even shares would vary by {percent(by_chance)} by chance alone."
    )
    if p is not None:
        yield (
            f"Chance leaves counts at least this far from the exact shares with probability {p:.2f}: "
            + ("it explains them." if p > 0.0001 else "it does not explain them.")
        )
    if result["as_placed"] is not None:
        yield (
            f"{number(result['as_placed'])} of {number(requests)} requests were answered by the very "
            "replica that the hashing library names for their key."
        )
    if result["counts"] == result["counts_of_workers"]:
        yield "The workers counted the same as the answers say, replica by replica."
    slow, fast = PUBLISHED_RATES
    yield (
        f"{number(result['requests_per_s'])} requests/s are {number(result['requests_per_s'] / fast)} to "
        f"{number(result['requests_per_s'] / slow)} times what class projects reach ({slow} to {fast})."
    )


def observe_a2(result):
    steps = result["steps"]
    worst = max(steps, key=lambda step: step["cv"])
    yield (
        f"The average load falls as 1/N, from {number(steps[0]['average'])} to "
        f"{number(steps[-1]['average'])}: it says nothing of evenness, whatever the hash. The coefficient "
        f"of variation does: at most {percent(worst['cv'])}, with {worst['replicas']} replicas (chance alone: "
        f"{percent(chance_cv(worst['replicas'], worst['requests']))})."
    )
    moves = [step for step in steps if "moved" in step]
    if moves:
        excess = max(step["excess"] for step in moves)
        yield (
            "Each newcomer took over "
            + ", ".join(percent(step["moved"], 1) for step in moves)
            + f" of the keys; at most {percent(excess, 3)} of all moved that need not have."
        )
    times = [step["add_ms"] for step in steps if "add_ms" in step]
    if times:
        yield f"/add took {milliseconds(min(times))} to {milliseconds(max(times))}, the start of the process included."
    yield f"{number(sum(step['lost'] for step in steps))} requests were lost in all steps together."


def observe_a3(result):
    kills = result["kills"]
    right = sum(call["is_right"] for call in result["calls"])
    yield f"{right} of {len(result['calls'])} calls and errors were answered as the assignment says."
    blows = [event for event in kills["events"] if event["what"] == "kill" and "healed_ms" in event]
    if blows:
        low, high = PUBLISHED_RECOVERY_S
        yield (
            "A killed replica was out after "
            + " and ".join(milliseconds(event["noticed_ms"]) for event in blows)
            + " and its successor up after "
            + " and ".join(milliseconds(event["healed_ms"]) for event in blows)
            + f"; class projects publish {low} to {high} s."
        )
    for event in kills["events"]:
        if event["what"] == "hang":
            yield (
                f"A hung replica, which accepts and says nothing, was noticed after "
                f"{milliseconds(event['noticed_ms'])}; its unanswered requests went to the next replica then, as far as "
                "the budget of retries goes, which is the peak in the latency."
            )
    calls = {event["what"]: event["took_ms"] for event in kills["events"] if "took_ms" in event}
    if calls:
        yield "Under this load " + " and ".join(f"/{what} took {milliseconds(ms)}" for what, ms in calls.items()) + "."
    placement = result["placement"]
    yield f"{number(kills['lost'])} of {number(kills['requests'])} requests failed."
    yield (
        f"After all of it {number(placement['moved'])} of {number(placement['keys'])} keys were answered by "
        "another replica than before: a heal keeps the name, and the name is what is hashed."
    )


def is_explained(row):
    """By chance, from the exact shares; who leaves nothing to chance is not asked."""
    return all(step["chi2_p"] is None or step["chi2_p"] > 0.0001 for step in row["steps"])


def observe_a4(result):
    classic = classic_rows(result)
    best, worst = best_classic(result), max(classic, key=lambda row: at(row, 3)["cv"])
    default = default_classic(result)
    shares = [100 * count / max(1, sum(at(default, 3)["counts"].values())) for count in at(default, 3)["counts"].values()]
    yield (
        "The assignment's own pair, quadratic / quadratic, splits "
        + " / ".join(f"{share:.1f}" for share in shares)
        + f" % over three replicas. i² + 2i + 17 = (i + 1)² + 16 takes only the values of a square "
        "modulo 512, so most slots are never asked for; i² + j² + 2j + 25 puts the virtual servers of "
        "neighbours side by side."
    )
    yield (
        f"Of {len(classic)} classic pairs the most even is {best['request_hash']} / {best['server_hash']} "
        f"({percent(at(best, 3)['cv'], 1)}), the least {worst['request_hash']} / {worst['server_hash']} "
        f"({percent(at(worst, 3)['cv'], 1)}). Nine virtual servers a replica leave luck a large part: a good "
        "hash of requests alone does not help."
    )
    slot = next(row for row in result["rows"] if row["scheme"] == "slot-hrw")
    yield (
        f"slot-hrw varies by {percent(at(slot, 3)['cv'])}, moves {percent(excess_of(slot) or 0, 3)} of the keys "
        f"beyond the minimum and looks a key up in {slot['lookup_ns']:.1f} ns."
    )
    keyed = sum(row["steps"][0]["chi2_p"] is not None for row in result["rows"])
    unexplained = [row for row in result["rows"] if not is_explained(row)]
    yield (
        f"In {keyed - len(unexplained)} of {keyed} schemes and pairs that place by key chance explains every "
        "measured count from the exact shares"
        + (": not in " + ", ".join(label_of(row) for row in unexplained) if unexplained else "")
        + "."
    )
    lost = sum(step["lost"] for row in result["rows"] for step in row["steps"])
    requests = sum(step["requests"] for row in result["rows"] for step in row["steps"])
    yield f"{number(lost)} of {number(requests)} requests were lost."


def observe_mixed(result):
    lost = sum(part["lost"] for part in result["parts"])
    requests = sum(part["requests"] for part in result["parts"])
    kills = sum(event["what"] == "kill" for event in result["events"])
    yield (
        f"{number(lost)} of {number(requests)} requests failed while {kills} replicas were killed one after "
        "the other and one stood still for 40 of every 100 ms."
    )
    for part in result["parts"]:
        yield (
            f"{part['name']}: p50 {milliseconds(part['p50_ms'])}, p99 {milliseconds(part['p99_ms'])}, "
            f"largest {milliseconds(part['max_ms'])}."
        )


def observe_log(result):
    yield (
        f"{number(result['requests'])} requests over {len(result['counts'])} replicas in "
        f"{result['span_ms'] / 1000:.1f} s; coefficient of variation {percent(result['cv'])}, "
        f"peak/average {result['peak_to_average']:.3f}."
    )


# ---- the report ----


def table(head, rows):
    """The first column is text, the others are numbers."""
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{cells}</tr>{body}</table></div>'


def rows_a1(result):
    def row(name, counts, rest):
        cv, peak = evenness(counts)
        return [name, " / ".join(number(n) for n in counts), percent(cv, 1), f"{peak:.2f}", rest]

    rows = [row(f"published: {name}", counts, said) for name, counts, said in PUBLISHED]
    said = (
        f"{number(result['lost'])} lost; {number(result['requests_per_s'])} requests/s; "
        f"p99 {result['p99_ms']:.1f} ms"
    )
    rows.append(row("measured here", list(result["counts"].values()), said))
    return ["", "counts over three replicas", "CV", "peak/average", "besides"], rows


def table_a1(result):
    return table(*rows_a1(result))


def rows_a2(result):
    rows = []
    for step in result["steps"]:
        keys = [percent(step[name], 2) if name in step else "–" for name in ("moved", "minimum", "excess")]
        rows.append(
            [
                step["replicas"], number(step["average"], 1), percent(step["cv"]),
                f"{step['peak_to_average']:.3f}", chance_text(step["chi2_p"]), number(step["requests_per_s"]),
                f"{step['p99_ms']:.2f}", number(step["lost"]), *keys,
            ]
        )  # fmt: skip
    head = ["replicas", "average", "CV", "peak/average", "p", "requests/s", "p99 ms", "lost", "moved", "minimum", "excess"]
    return head, rows


def table_a2(result):
    return table(*rows_a2(result))


def table_a3(result):
    def time(event, name):
        return milliseconds(event[name]) if name in event else ""

    events = [
        [
            event["what"], event["replica"], f"{event['at_ms'] / 1000:.2f} s", time(event, "noticed_ms"),
            time(event, "healed_ms"), time(event, "took_ms"),
        ]
        for event in result["kills"]["events"]
    ]  # fmt: skip
    calls = [
        [call["call"], call["body"] or "", call["status"], "yes" if call["is_right"] else "NO", call["answer"][:110]]
        for call in result["calls"]
    ]
    return (
        table(["what", "replica", "at", "noticed after", "up again after", "the call took"], events)
        + "<details><summary>Every call and its answer</summary>"
        + table(["call", "body", "status", "as expected", "answer"], calls)
        + "</details>"
    )


def table_a4(result):
    rows = []
    for row in sorted(result["rows"], key=lambda row: at(row, 3)["cv"]):
        three, most = at(row, 3), row["steps"][-1]
        excess = excess_of(row)
        rows.append(
            [
                label_of(row), " / ".join(number(n) for n in three["counts"].values()),
                percent(three["cv"], 1), f"{three['peak_to_average']:.2f}", percent(most["cv"], 1),
                "–" if excess is None else percent(excess), number(three["requests_per_s"]),
                f"{row['lookup_ns']:.1f}",
            ]
        )  # fmt: skip
    most = result["rows"][0]["steps"][-1]["replicas"]
    head = ["scheme", "counts, 3 replicas", "CV", "peak/average", f"CV, {most}", "excess moved", "requests/s", "ns/look-up"]
    return table(head, rows)


def rows_mixed(result):
    rows = [
        [
            part["name"], f"{part['rate']:.0f}", number(part["requests"]), number(part["lost"]),
            f"{part['p50_ms']:.2f}", f"{part['p99_ms']:.2f}", f"{part['max_ms']:.1f}",
        ]
        for part in result["parts"]
    ]  # fmt: skip
    return ["requests of", "a second", "requests", "failed", "p50 ms", "p99 ms", "largest ms"], rows


def table_mixed(result):
    return table(*rows_mixed(result))


def table_log(result):
    rows = [[name, number(count), percent(count / result["requests"], 1)] for name, count in result["counts"].items()]
    return table(["replica", "requests", "share"], rows)


class Part:
    """One experiment: its file, picture, table and sentences."""

    def __init__(self, name, title, pictures, plot, observe, tabulate):
        self.name, self.title, self.pictures = name, title, pictures
        self.plot, self.observe, self.tabulate = plot, observe, tabulate


PARTS = [
    Part("a1", "A-1: 10,000 requests over three replicas", ["a1"], plot_a1, observe_a1, table_a1),
    Part("a2", "A-2: two to six replicas", ["a2"], plot_a2, observe_a2, table_a2),
    Part("a3", "A-3: endpoints, errors, failures", ["a3"], plot_a3, observe_a3, table_a3),
    Part("a4", "A-4: other hash functions", ["a4", "a4_schemes"], plot_a4, observe_a4, table_a4),
    Part("mixed", "A workload as in production", ["mixed"], plot_mixed, observe_mixed, table_mixed),
    Part("log", "An access log", ["log"], plot_log, observe_log, table_log),
]

STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
img { width: 100%; height: auto; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { text-align: right; padding: 0.25rem 0.6rem; border-bottom: 1px solid #e2e2e2; }
th:first-child, td:first-child, td:last-child, th:last-child { text-align: left; }
code { background: #f2f2f2; padding: 0.1rem 0.3rem; overflow-wrap: anywhere; }
"""


def describe(about):
    machine = about["machine"]
    cpu = cpu_model()
    docker = about.get("docker")
    replicas = f"containers of {docker['image']}, Docker {docker['version']}" if docker else "processes"
    drawn = f", Matplotlib {matplotlib.__version__}" if plt else ""
    return (
        f"<p><code>{html.escape(' '.join(about['command']))}</code><br>roost {html.escape(about['version'])}, "
        f"seed {about['seed']}, {html.escape(about['when'][:19].replace('T', ' '))} UTC; "
        f"{html.escape(machine['system'])} {html.escape(machine['release'])}, {html.escape(machine['architecture'])}, "
        f"{machine['cores']} cores{html.escape(', ' + cpu if cpu else '')}; replicas are {html.escape(replicas)}; "
        f"Python {platform.python_version()}{drawn}. Load generator, balancer and replicas share these cores.</p>"
    )


def cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else ""


def picture(folder, name, title):
    path = folder / f"{name}.png"
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(title)}">'


def write_report(results, folder):
    pieces = []
    for part, result in results:
        sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in part.observe(result))
        pictures = "".join(picture(folder, name, part.title) for name in part.pictures)
        pieces.append(
            f'<h2 id="{part.name}">{html.escape(part.title)}</h2>{describe(result["about"])}'
            f"<ul>{sentences}</ul>{pictures}{part.tabulate(result)}"
        )
    made = datetime.now().strftime("%Y-%m-%d %H:%M")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>roost: the experiments</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>roost: the experiments</h1>"
        f"<p>Drawn {made} from the JSON files beside this page; every sentence is computed from them. "
        "Published figures are those that class projects with the same brief report of themselves; they "
        "were measured on other machines.</p>" + "".join(pieces) + "</body></html>\n"
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    print(f"wrote {path}")


def load(folder, only):
    """(part, result) of what is there."""
    for part in PARTS:
        path = folder / f"{part.name}.json"
        if path.exists() and only in (None, part.name):
            yield part, json.loads(path.read_text(encoding="utf-8"))


def main(arguments):
    folder = Path(arguments[0])
    only = arguments[1] if len(arguments) > 1 else None
    results = list(load(folder, only))
    if not results:
        print(f"{folder}: no results are there", file=sys.stderr)
        return 1
    if plt:
        setup()
        for part, result in results:
            part.plot(result, folder)
    if only is None:
        write_report(results, folder)
    return 0 if plt else NO_MATPLOTLIB


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
