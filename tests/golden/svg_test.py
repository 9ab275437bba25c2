"""Pictures of plans: XML that parses and nothing outside the frame, whatever is in the node and however large it is."""

import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

PROGRAM, NODES = sys.argv[1], pathlib.Path(sys.argv[2])
SVG = "{http://www.w3.org/2000/svg}"
CHARACTER = 0.602  # of the font's size, as in src/cli/svg.cpp


def draw(topology, *arguments):
    """The picture's root element."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "plan.svg"
        run = subprocess.run([PROGRAM, "plan", "--topology", topology, *arguments, "--svg", file],
                             capture_output=True, check=False)
        assert run.returncode in (0, 1), run.stderr
        return ElementTree.parse(file).getroot()


def words(root):
    return [element.text for element in root.iter(SVG + "text")]


def check_frame(root):
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter(SVG + "rect"):
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        assert x >= 0 and y >= 0, ElementTree.tostring(element)
        assert x + float(element.get("width")) <= width + 0.1, ElementTree.tostring(element)
        assert y + float(element.get("height")) <= height + 0.1, ElementTree.tostring(element)
    for element in root.iter(SVG + "text"):
        length = len(element.text) * CHARACTER * float(element.get("font-size"))
        before = {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "start")]
        x = float(element.get("x")) - before * length
        assert 0 <= x and x + length <= width, ElementTree.tostring(element)
        assert 0 < float(element.get("y")) < height, ElementTree.tostring(element)


def large_node(folder, sockets, ports):
    """Two sockets and more of 32 cores each, the ports dealt over them."""
    def sets(name, value):
        shifts = range(value.bit_length() // 32 * 32, -1, -32)
        text = ",".join(f"0x{value >> shift & 0xffffffff:08x}" for shift in shifts)
        return f'{name}="{text}" complete_{name}="{text}"'
    cores = 32 * sockets
    every = f'{sets("cpuset", (1 << cores) - 1)} {sets("nodeset", (1 << sockets) - 1)}'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE topology SYSTEM "hwloc2.dtd">',
             '<topology version="2.0">', f'<object type="Machine" os_index="0" {every} gp_index="1">']
    index = 2
    for socket in range(sockets):
        node = sets("nodeset", 1 << socket)
        here = f'{sets("cpuset", ((1 << 32) - 1) << 32 * socket)} {node}'
        lines += [f'<object type="Package" os_index="{socket}" {here} gp_index="{index}">',
                  f'<object type="NUMANode" os_index="{socket}" {here} gp_index="{index + 1}" local_memory="1024"/>']
        index += 2
        for core in range(32 * socket, 32 * socket + 32):
            one = f'{sets("cpuset", 1 << core)} {node}'
            lines += [f'<object type="Core" os_index="{core}" {one} gp_index="{index}">',
                      f'<object type="PU" os_index="{core}" {one} gp_index="{index + 1}"/>', "</object>"]
            index += 2
        root = 0x10 + 0x60 * socket
        lines.append(f'<object type="Bridge" gp_index="{index}" bridge_type="0-1" depth="0" '
                     f'bridge_pci="0000:[{root:02x}-{root + ports:02x}]">')
        index += 1
        for port in range(socket, ports, sockets):
            lines += [f'<object type="PCIDev" gp_index="{index}" pci_busid="0000:{root + port:02x}:00.0" '
                      'pci_type="0207 [15b3:101b] [0000:0000] 00" pci_link_speed="31.5">',
                      f'<object type="OSDev" gp_index="{index + 1}" name="mlx5_with_a_rather_long_name_{port}" '
                      'osdev_type="3">', '<info name="Port1State" value="4"/>',
                      f'<info name="Port1LID" value="0x{port + 1:x}"/>', "</object>", "</object>"]
            index += 2
        lines += ["</object>", "</object>"]
    lines += ["</object>", "</topology>"]
    file = pathlib.Path(folder) / "large.xml"
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
    return file


def test_every_described_node_is_drawn():
    for topology in sorted(NODES.glob("*.xml")):
        for tasks in ("1", "7", "64"):
            root = draw(topology, "--tasks", tasks, "--compare")
            check_frame(root)
            shown = words(root)
            for task in range(int(tasks)):
                assert f"T{task}" in shown, f"{topology}: no row of task {task}"
                chips = (f"T{task}>", f"T{task}: none")
                assert any(text.startswith(chips) for text in shown), f"{topology}: task {task}"


def test_foreign_text_is_escaped():
    text = (NODES / "decoys.xml").read_text(encoding="utf-8")
    for name in ("mlx5_0&lt;/svg&gt;", "mlx5_&amp;&quot;'", "mlx5_\u00e9\u4e2d", "mlx5_" + "x" * 300):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "node.xml"
            file.write_text(text.replace('name="mlx5_0"', f'name="{name}"'), encoding="utf-8")
            root = draw(file, "--tasks", "2")
            check_frame(root)
            expected = re.compile(r"mlx5_0?(</svg>|&\"|\\xc3|x{40}).*not the name of")
            assert any(expected.match(line) for line in words(root)), name


def test_a_large_node_stays_readable():
    with tempfile.TemporaryDirectory() as folder:
        root = draw(large_node(folder, 2, 32), "--tasks", "64", "--compare")
        check_frame(root)
        sizes = [float(element.get("font-size")) for element in root.iter(SVG + "text")]
        assert min(sizes) >= 9, "too small to read"
        assert float(root.get("width")) < 1400
        assert len([text for text in words(root) if re.fullmatch(r"P\d+", text)]) == 32


def test_a_picture_that_cannot_be_written_is_an_error():
    topology = NODES / "two-sockets.xml"
    run = subprocess.run([PROGRAM, "plan", "--topology", topology, "--tasks", "1", "--svg", "/nowhere/x"],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr == "container-ib plan: --svg: cannot write /nowhere/x: No such file or directory\n", run.stderr


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
