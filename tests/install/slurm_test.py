"""slurm_test.py CHECKOUT SCRATCH: where cmake/Slurm.cmake says that plugins go, of Slurm as each of its packagers lays it out; and that the
packages have one version."""

import pathlib
import re
import shutil
import subprocess
import sys

ARCHITECTURE = "x86_64-linux-gnu"
# What Slurm's library has beside it, with a zero byte after each.
NOISE = ["/var/lib/slurm", "/etc/slurm/slurm.conf", "/var/spool/slurmd", "/run/slurm/conf/slurm.conf", "no /usr/lib64/slurm"]


def library(plugin_dir):
    return b"\x7fELF" + b"".join(text.encode() + b"\0" for text in ["", *NOISE, plugin_dir])


def asked(checkout, prefix, files, *options):
    shutil.rmtree(prefix, ignore_errors=True)
    for name, content in {"include/slurm/spank.h": b"", **files}.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_bytes(content)
    done = subprocess.run(["cmake", f"-DSLURM_INCLUDE_DIR={prefix}/include", f"-DCMAKE_LIBRARY_ARCHITECTURE={ARCHITECTURE}",
                           "-DCMAKE_INSTALL_FULL_LIBDIR=/usr/lib", *options, "-P", checkout / "cmake/Slurm.cmake"],
                          text=True, capture_output=True, check=True)
    return re.search(r"^-- Slurm's plugin directory: (.*)$", done.stdout, re.MULTILINE)[1], " ".join(done.stderr.split())


def check_plugin_dir(checkout, prefix):
    def expect(plugin_dir, files, *options, warning=""):
        found, said = asked(checkout, prefix, files, *options)
        assert found == plugin_dir and (warning in said if warning else not said), (found, plugin_dir, said)

    debian, schedmd = f"/usr/lib/{ARCHITECTURE}/slurm-wlm", "/usr/lib64/slurm"
    decoy = {"lib64/slurm/auth_munge.so": b"", f"lib/{ARCHITECTURE}/slurm/auth_munge.so": b""}
    expect(debian, {f"lib/{ARCHITECTURE}/libslurm.so": library(debian), **decoy})
    expect(debian, {f"lib/{ARCHITECTURE}/libslurm.a": library(debian)})
    expect(schedmd, {"lib64/libslurm.so": library(schedmd)})
    expect("/opt/slurm/24.11/lib/slurm", {"lib/libslurm.so": library("/opt/slurm/24.11/lib/slurm"), **decoy})
    # an answer that is none, and none at all
    expect(f"{prefix}/lib64/slurm", {"lib64/libslurm.so": library(debian) + library(schedmd), "lib64/slurm/auth_munge.so": b""})
    expect(f"{prefix}/lib64/slurm", {"lib64/slurm/auth_munge.so": b""})
    expect("/usr/lib/slurm", {}, warning="say -DSLURM_PLUGIN_DIR=PATH")
    expect("/elsewhere", {"lib64/libslurm.so": library(schedmd)}, "-DSLURM_PLUGIN_DIR=/elsewhere")


def check_versions(checkout):
    def version(file, pattern):
        return re.search(pattern, (checkout / file).read_text(), re.MULTILINE)[1]

    versions = {
        version("CMakeLists.txt", r"^project\(container_ib VERSION (\S+)"),
        version("debian/changelog", r"\Acontainer-ib \(([0-9.]+)-1\)"),
        version("contrib/rpm/container-ib.spec", r"global version_of_source (\S+)\}?$").rstrip("}"),
    }
    assert len(versions) == 1, f"CMakeLists.txt, debian/changelog, contrib/rpm/container-ib.spec: {versions}"


def main():
    checkout = pathlib.Path(sys.argv[1])
    check_plugin_dir(checkout, pathlib.Path(sys.argv[2]))
    check_versions(checkout)


main()
