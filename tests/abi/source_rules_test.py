"""Each layer includes only what lies below it, each foreign header appears in one folder, text is written where it is made
printable, and no test signals a number that it has not looked at."""

import pathlib
import re
import sys

SYSTEM_CALLS = r"(unistd|fcntl|poll|sched|signal|dirent|dlfcn)\.h|sys/.*|linux/.*|net/.*|netinet/.*|arpa/.*"
FOREIGN = r"expat\.h|hwloc(/.*)?\.h|netlink/.*|infiniband/.*|slurm/.*|toml\+\+/.*|nlohmann/.*|CLI/.*|fmt/.*"

# Folder -> what it must not include. "own" are our headers, by their first folder.
RULES = [
    ("include/container_ib", SYSTEM_CALLS + "|" + FOREIGN + "|core/.*|app/.*|adapters/.*|agent/.*|spank/.*"),
    ("src/core", SYSTEM_CALLS + "|" + FOREIGN + "|app/.*|adapters/.*|agent/.*|spank/.*"),
    ("src/app", SYSTEM_CALLS + "|" + FOREIGN + "|core/.*|adapters/.*|agent/.*|spank/.*"),
    ("src/adapters", r"slurm/.*|core/.*|app/.*|agent/.*|spank/.*"),
    ("spank", r"hwloc(/.*)?\.h|netlink/.*|infiniband/.*|toml\+\+/.*|nlohmann/.*|app/.*|core/.*|agent/.*"),
    ("src/relay", FOREIGN + "|core/.*|app/.*|agent/.*|spank/.*"),
    ("src/agent", r"hwloc(/.*)?\.h|netlink/.*|infiniband/.*|slurm/.*|toml\+\+/.*|spank/.*"),
    ("src/cli", r"hwloc(/.*)?\.h|netlink/.*|infiniband/.*|slurm/.*|toml\+\+/.*|spank/.*"),
]
ONLY_IN = [
    (r"hwloc(/.*)?\.h", "src/adapters/hwloc"),
    (r"expat\.h", "src/adapters/nccl"),
    (r"netlink/.*", "src/adapters/netlink"),
    (r"infiniband/.*", "src/adapters/verbs"),
    (r"toml\+\+/.*", "src/adapters/toml"),
    (r"sys/capability\.h", "src/adapters/capabilities"),
    (r"slurm/.*", "spank"),
]

root = pathlib.Path(sys.argv[1])
includes = []
for folder in ("include", "src", "spank"):
    for file in sorted((root / folder).rglob("*.[ch]pp")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if match := re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line):
                includes.append((file.relative_to(root).as_posix(), number, match[1]))
if len(includes) < 100:
    sys.exit(f"only {len(includes)} include lines found below {root}")

errors = []
for file, number, header in includes:
    for folder, forbidden in RULES:
        if file.startswith(folder + "/") and re.fullmatch(forbidden, header):
            errors.append(f"{file}:{number}: {folder} must not include <{header}>")
    for pattern, folder in ONLY_IN:
        if re.fullmatch(pattern, header) and not file.startswith(folder + "/"):
            errors.append(f"{file}:{number}: <{header}> belongs in {folder} only")

# Where text may reach a terminal or a log: these make it printable first.
WRITES = r"fmt::print\(|std::(cout|cerr|clog)\b|(^|[^.\w])v?f?(printf|puts|putchar)\(|\bsyslog\(|\bslurm_(error|info|spank_log)\("
WRITERS = ("src/cli/output.cpp", "src/agent/log.cpp", "spank/say.cpp")
HOOKS = "spank/plugin.cpp"  # its literals, where nothing may throw any more
for folder in ("src", "spank"):
    for file in sorted((root / folder).rglob("*.cpp")):
        name = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(WRITES, line.split("//")[0]) and name not in WRITERS and name != HOOKS:
                errors.append(f"{name}:{number}: text is written by {', '.join(WRITERS)} only")

tests = sorted((root / "tests").rglob("*.[ch]pp"))
if len(tests) < 50:
    sys.exit(f"only {len(tests)} C++ files found below {root / 'tests'}")
for file in tests:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(r"(^|[^.>\w])(::)?kill\(", line.split("//")[0]) and "FakeNode" not in line and "override" not in line:
            errors.append(f"{file.relative_to(root)}:{number}: a test signals by support/signal_process.hpp only")
sys.exit("\n".join(errors) or 0)
