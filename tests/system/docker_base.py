"""A Debian for the Dockerfile to begin with, on a machine that can pull none: made of the packages
that are installed here."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

from balancer import ROOT

GROUPS = ("build", "image")
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
# What no package owns and a system needs.
BESIDES = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ld.so.cache",
           "/var/lib/dpkg/status", "/bin", "/sbin", "/lib", "/lib64")  # fmt: skip


def installed():
    """{package: (is essential, what it needs, what it stands for)} of this machine."""
    form = "${binary:Package}\\t${Essential}\\t${Pre-Depends}, ${Depends}\\t${Provides}\\n"
    found = {}
    for line in subprocess.check_output(["dpkg-query", "-W", "-f", form], text=True).splitlines():
        name, essential, needs, provides = line.split("\t")
        found[bare(name)] = (essential == "yes", names(needs), names(provides))
    return found


def bare(name):
    return name.strip().split(" ")[0].split(":")[0]


def names(text):
    return [bare(word) for part in text.split(",") for word in part.split("|") if word.strip()]


def wanted():
    rows = (ROOT / "tools" / "packages.txt").read_text(encoding="utf-8").splitlines()
    packages = [row.split()[1] for row in rows if row and row.split()[0] in GROUPS]
    return [name for package in packages for name in package.split("|")]


def closure():
    """The packages of GROUPS and a base system, with all they need."""
    packages = installed()
    providers = {}
    for name, (_, _, provides) in packages.items():
        for provided in [name, *provides]:
            providers.setdefault(provided, []).append(name)
    todo = [name for name, (essential, _, _) in packages.items() if essential]
    todo += ["apt", "base-files", "libc-bin", *wanted()]
    done = set()
    while todo:
        name = todo.pop()
        for provider in providers.get(name, []):
            if provider not in done:
                done.add(provider)
                todo += packages[provider][1]
    return done


def real(path):
    """With no link on the way to it."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def files():
    command = ["dpkg-query", "-L", *sorted(closure())]
    lines = subprocess.check_output(command, text=True).splitlines()
    listed = [line for line in lines if line.startswith("/") and not line.startswith(LEFT_OUT)]
    links = [
        str(path)
        for folder in ("/usr/bin", "/usr/sbin", "/etc/alternatives")
        for path in Path(folder).iterdir()
        if path.is_symlink()
    ]
    paths = {real(path) for path in [*listed, *links, *BESIDES] if path != "/."}
    return sorted(path for path in paths if os.path.lexists(path) and path != "/")


def image_files():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in files():
            tar.add(path, path.lstrip("/"), recursive=False)
    return buffer.getvalue()
