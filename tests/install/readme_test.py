"""readme_test.py CHECKOUT SCRATCH: README's install lines in a copy of the checkout without any build, with DESTDIR, and what they
installed run from there."""

import os
import pathlib
import re
import shutil
import subprocess
import sys


def run(command, folder, **environment):
    done = subprocess.run(command, shell=isinstance(command, str), cwd=folder, env={**os.environ, **environment}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def must(command, folder, **environment):
    status, output = run(command, folder, **environment)
    if status != 0:
        sys.exit(f"{command} in {folder}: exit {status}\n" + "\n".join(output.splitlines()[-30:]))
    return output


def main():
    checkout, scratch = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    here, root = scratch / "checkout", scratch / "root"
    shutil.copytree(checkout, here, symlinks=True, ignore=lambda _, names: {"build", ".git", ".cache", "__pycache__"} & set(names))

    lines = re.findall(r"^    (cmake .*)$", (here / "README.md").read_text(), re.MULTILINE)
    assert lines and "cmake --install" in lines[-1], f"README has no install lines: {lines}"
    for line in lines:
        must(line, here, DESTDIR=str(root))

    built = [file.name for file in (here / "build").rglob("*") if file.is_file() and os.access(file, os.X_OK)]
    assert not [name for name in built if "test" in name], f"users build tests: {built}"

    installed = {"/" + file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    plugin = next((file for file in installed if file.endswith("/container_ib.so")), None)
    agent = "/usr/libexec/container-ib/container-ib-agent"
    examples = {f"/usr/share/container-ib/{name}" for name in ("container-ib.conf", "plugstack.conf.d/zz-container-ib.conf")}
    assert installed == {"/usr/bin/container-ib", agent, plugin} | examples, installed
    assert agent.encode() + b"\0" in (root / plugin[1:]).read_bytes(), f"the plugin does not look for {agent}"

    command = root / "usr/bin/container-ib"
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", must([command, "--version"], here))
    plan = must([command, "plan", "--topology", here / "tests/fixtures/nodes/two-sockets.xml", "--tasks", "2"], here)
    assert re.search(r"^T0 .* mlx5_0:1 .*\nT1 .* mlx5_1:1 ", plan, re.MULTILINE), plan

    elsewhere = str(scratch / "elsewhere")
    status, output = run(["cmake", "--install", "build/release", "--prefix", elsewhere], here)
    assert status != 0 and f"configure again with -DCMAKE_INSTALL_PREFIX={elsewhere}" in " ".join(output.split()), output
    assert not pathlib.Path(elsewhere).exists()


main()
