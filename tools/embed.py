#!/usr/bin/env python3
"""Puts a file into the program: writes C that defines NAME[] and NAME_bytes.

usage: tools/embed.py NAME HEADER INPUT OUTPUT
"""

import sys
from pathlib import Path

BYTES_A_LINE = 20


def main(name, header, source, target):
    data = Path(source).read_bytes()
    lines = [f'#include "{header}"', "", f"const unsigned char {name}[] = {{"]
    for start in range(0, len(data), BYTES_A_LINE):
        lines.append(", ".join(str(byte) for byte in data[start : start + BYTES_A_LINE]) + ",")
    lines += ["};", "", f"const size_t {name}_bytes = sizeof({name});", ""]
    Path(target).write_text("\n".join(lines), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
