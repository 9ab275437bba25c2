"""One container that a SPANK plugin makes for all tasks of a node, as pyxis does (tests/lib/container_plugin.c): what the tasks see in it, and what
is refused, before an image is unpacked where that can be known."""

from cluster import HCAS, IMAGE, PINGPONG, Background, must, run, srun, uverbs_of, wait_until
from container_plugin import OTHER, OURS, container_plugin
from slurm import files
from verbs import by_tcp

STARTED = "/tmp/test_container.started"
FIRST, SECOND = HCAS["n0"]

ABOUT_ME = "test -e /usr/bin/srun || echo $CONTAINER_IB_PORTS $UCX_NET_DEVICES $OMPI_MCA_pml $(ls /dev/infiniband | paste -sd,)"


def options(option="verbs", image=IMAGE, tasks=2):
    return ("-w", "n0", f"-n{tasks}", "--overlap", "--mpi=pmix", f"--container-ib={option}", f"--container-image={image}")


def in_container(*command, option="verbs", image=IMAGE, tasks=2, variables=()):
    srun_words = ("srun", "--chdir=/tmp", *options(option, image, tasks))
    return run("n0", "env", *variables, *srun_words, *command, user="alice", timeout=120)


def devices(*hcas):
    return "rdma_cm," + ",".join(sorted(uverbs_of("n0", hca) for hca in hcas))


def starts():
    return len(run("n0", "cat", STARTED).lines)


def refused(done, *words):
    text = "\n".join(done.ours())
    assert done.status != 0 and all(word in text for word in words), done


def test_the_tasks_of_a_node_share_one_and_have_the_ports_of_all():
    with container_plugin():
        for option, pml in (("verbs", "^ob1"), ("verbs,scope=node", "^ob1"), ("auto", "^v")):
            done = must(in_container("sh", "-c", ABOUT_ME, option=option))
            assert sorted(done.lines) == [f"{hca}:1 {hca}:1 {pml} {devices(*HCAS['n0'])}" for hca in HCAS["n0"]], done
        done = must(in_container("sh", "-c", ABOUT_ME, option="verbs,rails=1", tasks=1))
        assert done.lines == [f"{FIRST}:1 {FIRST}:1 ^ob1 {devices(FIRST)}"], done
        done = must(in_container(*by_tcp(), PINGPONG, option="verbs,env=pmix"))
        assert '"ranks": 2' in done.out, done
        # each its own devices, which one container cannot have
        refused(in_container("true", option="verbs,scope=task"), "say scope=node")


def test_what_the_user_has_set_survives_and_what_the_engine_has_set_does_not():
    with container_plugin():
        look = "echo $UCX_NET_DEVICES $OMPI_MCA_pml $PMIX_MCA_gds"
        done = must(in_container("sh", "-c", look, tasks=1, option="verbs,report=full", variables=["UCX_NET_DEVICES=mine:1"]))
        assert done.lines == ["mine:1 ^ob1 hash"], done
        assert "container-ib: rank 0 keeps its own UCX_NET_DEVICES" in done.ours(), done
        assert not any("PMIX_MCA" in line for line in done.ours()), done
        long = "^cma," + ",".join(["rc_x"] * 1000)  # longer than what is told of it
        done = must(in_container("sh", "-c", "echo $UCX_TLS", tasks=1, variables=[f"UCX_TLS={long}"]))
        assert done.lines == [long], done


def test_a_container_without_the_folder_gets_it_or_the_user_is_told():
    with container_plugin():
        done = must(in_container("sh", "-c", ABOUT_ME, option="verbs,rails=1", image=f"{IMAGE},dev", tasks=1))
        assert done.lines == [f"{FIRST}:1 {FIRST}:1 ^ob1 {devices(FIRST)}"], done
        refused(in_container("true", image=f"{IMAGE},dev,ro", tasks=1), "mount devices over /dev/infiniband", "takes none")


def test_what_its_sysfs_shows_is_what_its_tasks_get():
    with container_plugin():
        done = must(in_container("sh", "-c", ABOUT_ME, image=f"{IMAGE},hide+{SECOND}"))
        assert done.lines == 2 * [f"{SECOND}:1 {SECOND}:1 ^ob1 {devices(SECOND)}"], done
        refused(in_container("true", image=f"{IMAGE},hide"), f"{FIRST}:1", "not in the container's /sys/class/infiniband")


def test_the_wrong_order_of_the_plugins_is_refused_with_what_to_change():
    with container_plugin(OURS + OTHER):
        refused(in_container("true"), "--container-image comes after container_ib.so in plugstack.conf", "move the line")
        # without a container the order is nobody's business
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1", "sh", "-c", "echo $CONTAINER_IB_PORTS"))
        assert done.lines == [f"{FIRST}:1"], done


def test_what_is_known_at_the_start_is_refused_before_the_image_is_unpacked():
    with container_plugin():
        refused(in_container("true", option="verbs,hca=nonsense*"), "does not match hca=nonsense*")
        with files({"container-ib.conf": "nonsense = 1\n"}):
            refused(in_container("true"), "nonsense")
        assert starts() == 0, run("n0", "cat", STARTED)
        must(in_container("true"))
        assert starts() == 1, run("n0", "cat", STARTED)


def test_why_pmix_will_not_start_is_said():
    with container_plugin():
        told = "\n".join(in_container("true", image=f"{IMAGE},root", tasks=1).ours())
        assert "has user 1000 as 0" in told and "--container-remap-root" in told, told
        told = "\n".join(in_container("true", image=f"{IMAGE},net", tasks=1).ours())
        assert "network of its own" in told, told
        assert not in_container("true", tasks=1).ours()


def test_what_the_image_lacks_is_said_before_the_program_starts():
    with container_plugin():
        told = in_container("true", image=f"{IMAGE},bare").ours()
        assert len([line for line in told if ": image: " in line and "mlx5" in line]) == 1, told
        assert not [line for line in in_container("true").ours() if "image" in line]
        assert not [line for line in in_container("true", image=f"{IMAGE},bare", option="auto").ours() if "image" in line]


def test_an_image_without_providers_is_lent_the_nodes():
    look = "ibv_devices 2>/dev/null | sed 1,2d | wc -l; echo $LD_LIBRARY_PATH"
    with container_plugin(), files({"container-ib.conf": "[users]\nallow_inject = true\n"}):
        bare = {"image": f"{IMAGE},bare", "tasks": 1}
        done = must(in_container("sh", "-c", look, option="verbs,rails=1", **bare))
        assert done.lines == ["0", ""], done
        done = must(in_container("sh", "-c", look, option="verbs,rails=1,inject=providers", variables=["LD_LIBRARY_PATH=/opt/lib"], **bare))
        assert done.lines == ["1", "/dev/infiniband/rdma-core:/opt/lib"], done
        assert [line for line in done.ours() if "lends the image this node's libibverbs.so.1" in line], done
        assert not [line for line in done.ours() if ": image: " in line], done
        done = must(in_container("sh", "-c", look, option="verbs,rails=1,inject=providers", tasks=1))
        assert done.lines == ["1", ""] and not done.ours(), done
    with container_plugin():
        refused(in_container("true", option="verbs,inject=providers"), "inject=providers is not allowed at this site")


def test_a_running_container_keeps_what_its_first_step_has_in_it():
    look = "ls /dev/infiniband | paste -sd,"
    said = "/tmp/test_container.said"
    wait = f"{look} > {said}; while ! test -e /tmp/test_container.go; do sleep 0.2; done; {look} >> {said}"

    def step_in_it(hca):
        return ("--container-name=one", *options(f"verbs,hca={hca}", tasks=1), "sh", "-c")

    with container_plugin():
        with Background("srun", "--chdir=/tmp", *step_in_it(FIRST), wait):
            wait_until(lambda: run("n0", "cat", said).lines == [devices(FIRST)], 30, "the first step in its container")
            other = srun(*step_in_it(SECOND), look)
            refused(other, "is in the same container", f"has {FIRST}:1 there", f"hca={FIRST}:1")
            same = must(srun(*step_in_it(FIRST), look))
            assert same.lines == [devices(FIRST)], same
            must(run("n0", "touch", "/tmp/test_container.go", user="alice"))
            wait_until(lambda: run("n0", "cat", said).lines == 2 * [devices(FIRST)], 30, "the end of the first step")


def test_a_container_that_lives_on_shows_the_node_again_and_then_the_next_steps_ports():
    look = "ls /dev/infiniband | paste -sd,"
    with container_plugin():
        # The engine's process is the sleeping step's, which is none of ours.
        sleeper = ("--container-name=one", "-w", "n0", "-n1", "--overlap", f"--container-image={IMAGE}", "sleep", "300")
        with Background("srun", "--chdir=/tmp", *sleeper):
            wait_until(lambda: starts() == 1, 30, "the container")
            for hca in (FIRST, SECOND, FIRST):
                done = must(srun("--container-name=one", *options(f"verbs,hca={hca}", tasks=1), "sh", "-c", look))
                assert done.lines == [devices(hca)], done
            look += "; ls /sys/class/infiniband | paste -sd,"
            done = must(srun("--container-name=one", "-w", "n0", "-n1", "--overlap", f"--container-image={IMAGE}", "sh", "-c", look))
            assert set(done.lines[0].split(",")) > set(devices(*HCAS["n0"]).split(",")), done
            assert set(done.lines[1].split(",")) >= set(HCAS["n0"]), done
