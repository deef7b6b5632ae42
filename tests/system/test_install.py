"""`make install`: what it brings works from where it was put, without the tree."""

import os
import subprocess

import pytest

from balancer import ROOT


def run(*command, **settings):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **{name: str(value) for name, value in settings.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    run("make", "install", f"PREFIX={prefix}")
    yield prefix
    run("meson", "configure", "build", "-Dprefix=/usr/local")


def test_the_program_runs_from_there(installed):
    version = run(installed / "bin" / "roost", "--version")
    assert version == run(ROOT / "build" / "roost", "--version")
    assert "--leave-replicas" in run(installed / "bin" / "roost", "serve", "--help")


@pytest.mark.parametrize("way", ["shared", "static"])
def test_a_program_finds_the_hashing_library_by_pkg_config(installed, tmp_path, way):
    (config,) = installed.rglob("roost-balance.pc")
    flags = run("pkg-config", "--cflags", "--libs", "roost-balance", PKG_CONFIG_PATH=config.parent)
    words = flags.split()
    if way == "static":
        (archive,) = installed.rglob("libroost-balance.a")
        words = [archive if word == "-lroost-balance" else word for word in words]
    # Away from the tree, so that none of its headers can be found by accident.
    source = tmp_path / "example.c"
    source.write_text((ROOT / "examples" / "balance_example.c").read_text())
    program = tmp_path / "example"
    run("cc", source, "-o", program, *words)
    needed = run("ldd", program, LD_LIBRARY_PATH=config.parent.parent)
    assert ("libroost-balance" in needed) == (way == "shared")
    said = run(program, LD_LIBRARY_PATH=config.parent.parent)
    assert said.splitlines()[0].startswith("two: customer-42 -> web-")
    assert len(said.splitlines()) == 4
