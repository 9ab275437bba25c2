"""The plugin exports exactly what its version script names, unmangled: Slurm finds hooks by name, and any other symbol
could clash with another plugin's in the same process."""

import re
import subprocess
import sys

plugin, export_map = sys.argv[1:]
with open(export_map, encoding="utf-8") as file:
    wanted = set(re.findall(r"^\s*(\w+);$", file.read(), re.MULTILINE))
listing = subprocess.run(["nm", "-D", "--defined-only", plugin], check=True, capture_output=True, text=True).stdout
exported = {line.split()[2] for line in listing.splitlines()}
if not wanted:
    sys.exit(f"{export_map}: no symbols found in it")
if exported != wanted:
    sys.exit(f"missing: {sorted(wanted - exported)}; unexpected: {sorted(exported - wanted)}")

# Libraries that slurmstepd must never be made to load (doc/architecture.md).
needed = subprocess.run(["readelf", "-d", plugin], check=True, capture_output=True, text=True).stdout
for library in ("hwloc", "libnl", "ibverbs", "libcap", "libseccomp", "libstdc++", "libgcc"):
    if library in needed:
        sys.exit(f"{plugin} depends on {library}")
