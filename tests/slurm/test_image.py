"""container-ib doctor --image in a task's container: of the testbed's image it says nothing bad, and what it is robbed of it
misses."""

import json

from cluster import IMAGE, must, run, sh, srun
from engines import bubblewrap
from verbs import IN_CONTAINER, has_mpi

# The node's own program with the node's own libraries, which an image need not have: the node's tree is at /mnt inside.
_LIBRARIES = "/mnt/usr/lib/x86_64-linux-gnu"
DOCTOR = (f"{_LIBRARIES}/ld-linux-x86-64.so.2", "--library-path", _LIBRARIES, "/mnt/usr/bin/container-ib", "doctor", "--image", "--json")
CH_RUN = ("ch-run", "-b", "/:/mnt", *IN_CONTAINER[1:])
LIB = "/usr/lib/x86_64-linux-gnu"


def bwrap(*options):
    return (*bubblewrap()[:-1], "--ro-bind", "/", "/mnt", *options, "--")


def asked(*engine, mpi="none"):
    """What a task of one HCA is told."""
    return srun("-w", "n0", "-n1", f"--mpi={mpi}", "--container-ib=verbs,rails=1", *engine, *DOCTOR)


def lines(done, kind):
    return [line["text"] for line in json.loads(done.out)["lines"] if line["kind"] == kind]


def hca_of(done):
    """That of the provider's line."""
    (line,) = (text for text in lines(done, "ok") if text.startswith("provider "))
    return line.partition(" for ")[2]


def has_ucx_for_ib():
    """As its UCX itself says that it was built; a release candidate in sid (1.23rc1) lacks that."""
    done = must(run("n0", "chroot", IMAGE, "ucx_info", "-b"))
    (modules,) = (line for line in done.lines if " uct_MODULES " in line)
    return ":ib:" in modules


def test_of_the_testbeds_image_only_what_is_true_is_told():
    true = [] if has_ucx_for_ib() else ["UCX without InfiniBand"]
    for engine in (CH_RUN, bwrap()):
        done = asked(*engine)
        assert [text.split(":")[0] for text in lines(done, "bad")] == true and not lines(done, "note"), done
        assert done.status == (1 if true else 0) and hca_of(done) in ("mlx5_0", "mlx5_1"), done  # its own, of the node's two
        found = "\n".join(lines(done, "ok"))
        for part in ("libibverbs: ", "glibc 2.", "Open MPI (", ") with UCX", "PMIx "):
            assert part in found, (part, done)
        assert ("UCX with InfiniBand: " in found) == (not true), done


def test_its_pmix_fits_the_server():
    has_mpi("pmix")
    done = asked(*CH_RUN, mpi="pmix")
    assert not any("PMIx" in text for text in lines(done, "bad")), done
    assert any(text.startswith("PMIx ") for text in lines(done, "ok")), done


def of_the_image(done):
    """What is not about the HCAs, of which a task has one and the node two."""
    told = [text for text in lines(done, "ok") + lines(done, "bad") if not text.startswith("provider ")]
    assert len(told) >= 5, done
    return told


def test_it_is_the_same_from_outside():
    # Of the folder, and of a container that runs.
    inside = of_the_image(asked(*CH_RUN))
    for user in ("alice", "root"):
        done = run("n0", "container-ib", "doctor", f"--image={IMAGE}", "--json", user=user)
        assert of_the_image(done) == inside, (inside, done)
    container = f"coproc ch-run {IMAGE} -- sh -c 'echo $$; read end'; read -r pid <&${{COPROC[0]}}"
    look = "container-ib doctor --json --image=/proc/$pid/root; status=$?; echo >&${COPROC[1]}; wait; exit $status"
    done = sh("n0", f"{container}; {look}", user="alice")
    assert of_the_image(done) == inside, (inside, done)


def hidden(*paths):
    """An engine in whose container these files of the image are none, and these folders (that end in /) empty."""
    options = []
    for path in paths:
        options += ["--tmpfs", path] if path.endswith("/") else ["--dev-bind", "/dev/null", _behind_links(path)]
    return bwrap(*options)


def _behind_links(path):
    return must(run("n0", "chroot", IMAGE, "readlink", "-f", path)).out.strip()


def is_missed(expected, *paths):
    done = asked(*hidden(*paths))
    assert done.status == 1 and any(expected in text for text in lines(done, "bad")), (expected, done)


def test_each_thing_that_the_image_is_robbed_of_is_missed():
    is_missed("no libibverbs.so.1", f"{LIB}/libibverbs.so.1")
    is_missed("no provider mlx5", f"{LIB}/libibverbs/")
    is_missed("names the provider mlx5", "/etc/libibverbs.d/")
    is_missed("UCX without InfiniBand", f"{LIB}/ucx/")
    is_missed("made for UCX, but there is no libucp.so.0", f"{LIB}/libucp.so.0", f"{LIB}/libfabric.so.1")


def test_what_it_is_told_of_is_true():
    # libibverbs itself says so of a container without providers; with the image whole it lists the HCA.
    words = ("sh", "-c", "ibv_devices 2>/dev/null | sed 1,2d | wc -l")
    for engine, count in ((hidden(), "1"), (hidden(f"{LIB}/libibverbs/"), "0"), (hidden("/etc/libibverbs.d/"), "0")):
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1", *engine, *words))
        assert done.out.strip() == count, (engine, done)


def test_mpi_that_the_image_cannot_start_is_told():
    has_mpi("pmix")
    done = asked(*hidden(f"{LIB}/libpmix.so.2"), mpi="pmix")
    assert any("no PMIx" in text for text in lines(done, "bad")), done
