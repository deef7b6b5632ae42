"""Figures of `make bench` become docs/benchmarks.md."""

import os
import platform
import re
import statistics
from pathlib import Path

from bench_balancers import ROOT, version_of

OURS = ("roost", "roost-log", "other")
PEERS = ("haproxy", "nginx")
BUSY_ENOUGH = 0.8


def median(rounds, name, figure):
    return statistics.median(one[name][figure] for one in rounds if name in one)


def names_of(rounds):
    return [name for name in ("floor", *PEERS, *OURS) if name in rounds[0]]


def ratios(rounds, ours, theirs, figure="cpu_us"):
    """Of each round: drift of the machine cancels out."""
    return [one[ours][figure] / one[theirs][figure] for one in rounds]


def ratio_cell(values):
    if len(values) < 2:
        return f"**{values[0]:.2f}**"
    return f"**{statistics.median(values):.2f}** ({min(values):.2f}–{max(values):.2f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


# ---- the machine ----


def first_match(path, pattern):
    found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1).strip('"') if found else "unknown"


def hardware():
    memory_kb = int(first_match("/proc/meminfo", r"MemTotal:\s+(\d+)"))
    processor = first_match("/proc/cpuinfo", r"model name\s*:\s*(.*)")
    system = first_match("/etc/os-release", r"^PRETTY_NAME=(.*)")
    return (
        f"{os.cpu_count()} × {processor}, {memory_kb / 1048576:.0f} GiB, "
        f"kernel {platform.release()}, {system}"
    )


def machine(place, rounds, seconds, peers):
    versions = ", ".join(f"{name} {version_of(name)}" for name in peers if version_of(name))
    return (
        f"{hardware()}; {place}. {versions}. {rounds} alternated rounds of {seconds:g} s each.\n"
    )


def caution(fixtures, results):
    """A sentence where the processors had other work: then less is certain."""
    busy = [
        median(rounds, who, "busy")
        for name, rounds in results.items()
        if not (fixtures[name].memory or fixtures[name].fillers or "rate" in fixtures[name].client)
        for who in names_of(rounds)
    ]
    if not busy or statistics.median(busy) > BUSY_ENOUGH:
        return ""
    return (
        f"**The machine had other work during this run**: the balancers had only "
        f"{statistics.median(busy) * 100:.0f} % of their core (median; column busy), so requests/s "
        "and latencies say little, and the ratios of CPU time are rougher than on a quiet machine.\n"
    )


# ---- tables ----


def cost_rows(fixtures, results):
    for name, rounds in results.items():
        fixture = fixtures[name]
        if fixture.memory or "rate" in fixture.client or fixture.workers > 1:
            continue
        present = names_of(rounds)
        yield fixture, rounds, present


def cost_table(fixtures, results, columns):
    rows = []
    for fixture, rounds, present in cost_rows(fixtures, results):
        row = [fixture.title]
        for name in columns:
            if name not in present:
                row.append("–")
                continue
            cpu, user = median(rounds, name, "cpu_us"), median(rounds, name, "user_us")
            row.append(f"{cpu:.1f} ({user:.1f} + {cpu - user:.1f})")
        for theirs in PEERS:
            if theirs in columns:
                both = theirs in present and "roost" in present
                row.append(ratio_cell(ratios(rounds, "roost", theirs)) if both else "–")
        rows.append(row)
    peers = [f"roost ÷ {name}" for name in PEERS if name in columns]
    return table(["CPU µs a request (user + system)", *columns, *peers], rows) if rows else ""


def detail_table(fixtures, results):
    rows = []
    for name, rounds in results.items():
        if fixtures[name].memory:
            continue
        for who in names_of(rounds):
            cpu = [one[who]["cpu_us"] for one in rounds]
            errors = sum(one[who]["errors"] for one in rounds)
            rows.append(
                [
                    fixtures[name].title,
                    who,
                    f"{statistics.median(cpu):.2f} ({min(cpu):.2f}–{max(cpu):.2f})",
                    f"{median(rounds, who, 'busy') * 100:.0f} %",
                    f"{median(rounds, who, 'sleeps'):.2f}",
                    f"{median(rounds, who, 'per_s'):,.0f}",
                    *(f"{median(rounds, who, q) / 1000:.2f}" for q in ("p50_us", "p99_us", "p999_us")),
                    str(errors),
                ]
            )
    head = ["fixture", "balancer", "CPU µs (least–most)", "busy", "sleeps", "requests/s",
            "p50 ms", "p99 ms", "p99.9 ms", "errors"]  # fmt: skip
    return table(head, rows) if rows else ""


def growth_cell(few, many, name, are_paired):
    if not are_paired:
        growth = median(many, name, "cpu_us") / median(few, name, "cpu_us")
        return f"{(growth - 1) * 100:+.0f} %"
    pairs = zip(few, many)
    growths = [b[name]["cpu_us"] / a[name]["cpu_us"] * 100 - 100 for a, b in pairs]
    if len(growths) < 2:
        return f"{growths[0]:+.0f} %"
    return f"{statistics.median(growths):+.0f} % ({min(growths):+.0f}–{max(growths):+.0f})"


def growth_table(fixtures, results, columns):
    rows = []
    steps = (
        ("3 → 100 replicas", "get-150", "replicas-100"),
        ("3 → 1,000 replicas", "get-150", "replicas-1000"),
        ("100 → 1,000 connections", "connections-100", "connections-1000"),
        ("100 → 9,000 connections", "connections-100", "connections-9000"),
    )
    for title, few, many in steps:
        if few not in results or many not in results:
            continue
        row = [title]
        for name in columns:
            if name not in names_of(results[few]):
                row.append("–")
                continue
            are_paired = fixtures[many].beside == few
            row.append(growth_cell(results[few], results[many], name, are_paired))
        rows.append(row)
    return table(["growth of CPU a request", *columns], rows) if rows else ""


def memory_table(results, columns):
    if "memory" not in results:
        return ""
    figures = results["memory"][0]
    rows = [
        [name, f"{figures[name]['bytes']:.0f} B", f"{figures[name]['base'] / 1048576:.1f} MiB"]
        for name in columns
        if name in figures
    ]
    return table(["memory", "of an idle connection", "with 1,000 of them, in all"], rows)


def special_table(results):
    rows = []
    if "rate-10k" in results:
        rounds = results["rate-10k"]
        for theirs in PEERS:
            if {"roost", theirs} <= set(rounds[0]):
                rows.append(
                    [
                        "p99 at 10,000 requests/s, ÷ " + theirs,
                        ratio_cell(ratios(rounds, "roost", theirs, "p99_us")),
                    ]
                )
    if "two-workers" in results:
        rounds = results["two-workers"]
        for theirs in PEERS:
            if {"roost", theirs} <= set(rounds[0]):
                rows.append(
                    [
                        "requests/s of two workers, all cores shared, ÷ " + theirs,
                        ratio_cell(ratios(rounds, "roost", theirs, "per_s")),
                    ]
                )
    for name, rounds in results.items():
        if name == "get-150" and {"roost", "roost-log"} <= set(rounds[0]):
            rows.append(
                [
                    "what the access log costs, GET 150 B",
                    ratio_cell(ratios(rounds, "roost-log", "roost")),
                ]
            )
        if {"roost", "other"} <= set(rounds[0]) and "cpu_us" in rounds[0]["roost"]:
            rows.append([f"roost ÷ other, {name}", ratio_cell(ratios(rounds, "roost", "other"))])
    return table(["", "ratio (least–most)"], rows) if rows else ""


def report(fixtures, results, peers, place, rounds, seconds):
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`; nothing here is typed by hand but the notes at the end "
        "(`bench/notes.md`).\n",
        machine(place, rounds, seconds, peers),
        "The figure is the processor time that the balancer itself spends on one request, soft "
        "interrupts included, while it is kept busy on a core of its own; client and replicas share "
        "the others, and every answer's length and content is checked. Absolute times drift with "
        "the machine: the ratios, taken within each round, are what counts. All figures are medians. "
        "`floor` is `bench/forward.c`, which copies bytes and understands nothing. With a new "
        "connection for each request, and with bodies to send, client and replicas cannot always keep "
        "a balancer busy, and one that sleeps in between (column sleeps: how often for a request) pays "
        "for its wake-ups too. *Core shared*: the same with four processes that only spin beside the "
        "balancer; what waits meanwhile keeps it busy in the fifth of its core that is left to it.\n",
        caution(fixtures, results),
        cost_table(fixtures, results, peers),
        special_table(results),
        growth_table(fixtures, results, peers),
        memory_table(results, peers),
        detail_table(fixtures, results),
    ]
    return "\n".join(part for part in parts if part)
