"""How a step comes to be ours: its option, the variable CONTAINER_IB, and the site's default= in plugstack.conf."""

import re

from cluster import HCAS, IMAGE, contents, must, plugstack, run, srun, wait_for_epilogs
from container_plugin import OTHER, container_plugin
from jobs import both, said, sbatch, script
from test_refusals import SITE, last_job, ports

OURS = f"required container_ib.so config={SITE}"
PORTS = "echo ${CONTAINER_IB_PORTS:-none}"
ONE = ("-w", "n0", "-n1", "/bin/sh", "-c", PORTS)
FIRST = f"{HCAS['n0'][0]}:1"


def with_variable(value, *command, user="alice"):
    return run("n0", "env", f"CONTAINER_IB={value}", *command, user=user, timeout=90)


def of_srun(value, *words):
    return with_variable(value, "srun", "--chdir=/tmp", *(words or ONE))


# ---- the variable


def test_the_variable_stands_for_the_option():
    done = must(of_srun("verbs,rails=1"))
    assert done.lines == [FIRST] and not done.ours(), done
    assert must(of_srun("")).lines == ["none"], "empty is not given"
    assert must(of_srun("none")).lines == ["none"]
    assert must(of_srun("auto")).lines == [both("n0")]


def test_the_command_line_wins_over_the_variable():
    assert must(of_srun("verbs,rails=1", "--container-ib=verbs,rails=2", *ONE)).lines == [both("n0")]
    assert must(of_srun("verbs,rails=1", "--container-ib=none", *ONE)).lines == ["none"]
    assert must(of_srun("none", "--container-ib=verbs,rails=1", *ONE)).lines == [FIRST]
    assert must(of_srun("bogus", "--container-ib=verbs,rails=1", *ONE)).lines == [FIRST], "nobody asks for what it says"


def test_the_variable_counts_whatever_srun_exports():
    assert must(of_srun("verbs,rails=1", "--export=NONE", *ONE)).lines == [FIRST]
    # and leaves nothing of itself but itself
    done = must(of_srun("verbs,rails=1", "-w", "n0", "-n1", "env"))
    assert "\nCONTAINER_IB=verbs,rails=1\n" in "\n" + done.out and "SLURM_SPANK_" not in done.out, done


def test_a_bad_value_ends_srun_and_sbatch_before_there_is_a_job():
    before = last_job()
    for command in (("srun", "--chdir=/tmp", "hostname"), ("sbatch", "--chdir=/tmp", "--wrap=true"), ("salloc", "-n1", "true")):
        done = with_variable("bogus", *command)
        assert done.status == 1 and done.out == "", done
        (line,) = done.ours()
        assert re.search(r"unknown mode 'bogus'; modes are .*; CONTAINER_IB in the environment says so", line), done
    assert last_job() == before, "a job was made"


def test_a_value_that_is_too_long_is_refused():
    done = of_srun("verbs,hca=" + "x" * 3000)
    assert done.status == 1 and done.out == "", done


def test_steps_of_a_batch_job_have_its_variable():
    script("asking.sh", f"srun -n1 sh -c '{PORTS}'\nCONTAINER_IB=none srun -n1 sh -c '{PORTS}'\nsrun -n1 --container-ib=verbs sh -c '{PORTS}'\n{PORTS}\n")
    submit = ("-w", "n0", "-n1", "asking.sh")
    done = sbatch("--export=ALL,CONTAINER_IB=verbs", *submit)
    assert said(done) == [both("n0"), "none", both("n0"), "none"], done
    done = sbatch("--export=ALL", "--container-ib=verbs,rails=1", *submit)
    assert said(done) == [FIRST, FIRST, both("n0"), "none"], ("an option that sbatch hands down comes before the variable", done)
    script("asking.sh", f"export CONTAINER_IB=verbs,rails=1,batch=yes\nsrun -n1 sh -c '{PORTS}'\n{PORTS}\n")
    assert said(sbatch(*submit)) == [FIRST, "none"], "it came too late for the script itself"
    script("asking.sh", f"{PORTS}\n")
    assert said(sbatch("--export=ALL,CONTAINER_IB=verbs", *submit)) == ["none"]
    done = with_variable("verbs,rails=1,batch=yes", "sbatch", "--wait", "-Q", "-o", "/home/alice/asking.out", "--chdir=/home/alice", *submit)
    must(done)
    assert said(must(run("n0", "cat", "/home/alice/asking.out"))) == [FIRST]


def test_a_step_in_a_step_asks_by_the_variable_it_has_inherited():
    inner = f"srun --overlap -n1 sh -c '{PORTS}'"
    done = must(of_srun("verbs,rails=1", "-w", "n0", "-n1", "--overlap", "sh", "-c", inner))
    assert done.lines == [FIRST], done


# ---- the site's default


def default(option, line=OURS):
    return plugstack(f"{line} default={option}")


def test_a_default_is_for_steps_whose_user_says_nothing():
    with default("verbs,rails=1"):
        done = must(srun(*ONE))
        assert done.lines == [FIRST] and not done.ours(), done
        assert must(srun("--container-ib=verbs,rails=2", *ONE)).lines == [both("n0")]
        assert must(srun("--container-ib=none", *ONE)).lines == ["none"]
        assert must(of_srun("none")).lines == ["none"]
        assert must(of_srun("verbs,rails=2")).lines == [both("n0")]
        # who asks is refused as ever
        done = srun("--container-ib=verbs,hca=mlx4_*", *ONE)
        assert done.status != 0 and "no InfiniBand port can be used" in "\n".join(done.ours()), done


def test_a_default_is_not_for_scripts_and_shells():
    script("asking.sh", f"srun -n1 sh -c '{PORTS}'\n{PORTS}\n")
    with default("verbs,rails=1,batch=yes"):
        assert said(sbatch("-w", "n0", "-n1", "asking.sh")) == [FIRST, "none"]
        done = must(run("n0", "salloc", "-Q", "--chdir=/tmp", "-w", "n0", "-n1", "sh", "-c", PORTS, user="alice"))
        assert done.lines == ["none"], done


def test_a_default_says_nothing_where_there_is_no_port():
    with default("verbs"), ports(mlx5_0="down", mlx5_1="down"):
        done = must(srun(*ONE))
        assert done.lines == ["none"] and not done.ours(), done
    with default("verbs,report=summary"):
        done = must(srun(*ONE))
        assert done.lines == [both("n0")] and not done.ours(), "it has moved nothing"


def test_a_broken_site_file_is_a_warning_for_who_has_not_asked():
    with default("verbs"), contents(SITE, "[devices]\ndrivrs = []\n"):
        done = must(srun("-N2", "-n4", "sh", "-c", PORTS))
        assert done.lines == ["none"] * 4, done
        (line,) = done.ours()
        assert f"going on without InfiniBand: {SITE}:2: " in line and "tell your administrator" in line, done
        assert srun("--container-ib=verbs", *ONE).status != 0


def test_a_broken_default_is_a_warning():
    wrong = {
        "bogus": "plugstack.conf: default=bogus: .*unknown mode 'bogus'",
        "verbs,rail=2": "unknown key 'rail'",
        "vf": "default=vf: mode vf takes the node's network away; allowed: auto, verbs and none",
        "verbs,require=yes": "require=yes; who has not asked cannot be refused",
        "overlay": "default=overlay: mode overlay takes the node.s network away",
    }
    for option, why in wrong.items():
        with default(option):
            done = must(srun("-N2", "-n4", "sh", "-c", PORTS))
            assert done.lines == ["none"] * 4, done
            (line,) = done.ours()
            assert re.search(why, line) and "tell your administrator" in line, done
            assert must(srun("--container-ib=verbs,rails=1", *ONE)).lines == [FIRST], "who asks has it"
            wait_for_epilogs()
    for line in (f"required container_ib.so config={SITE} agent=/nowhere/agent", f"required container_ib.so config={SITE} agnt=/x"):
        with default("verbs", line):
            done = must(srun("-N2", "-n2", "sh", "-c", PORTS))
            assert done.lines == ["none"] * 2 and len(done.ours()) == 1, done
            wait_for_epilogs()
    with plugstack("required container_ib.so default="):  # as any argument that nobody knows
        done = must(srun(*ONE))
        assert done.lines == ["none"] and not done.ours(), done


def test_a_default_reaches_containers_of_a_plugin():
    line = f"{OURS} default=verbs,rails=1\n"
    inside = f"--container-image={IMAGE}"
    with container_plugin(OTHER + line):
        done = must(srun("-w", "n0", "-n1", inside, "sh", "-c", PORTS))
        assert done.lines == [FIRST] and not done.ours(), done
    with container_plugin(line + OTHER):
        done = must(srun("-w", "n0", "-n1", inside, "sh", "-c", PORTS))
        assert done.lines == ["none"], done
        (said_once,) = done.ours()
        assert "move the line" in said_once and "tell your administrator" in said_once, done
