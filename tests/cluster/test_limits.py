"""What README says the product does not keep apart."""

from cluster import must, srun

INSTANCE = "ctest-dual"


def test_the_other_port_of_an_hca_can_be_reached():
    """A uverbs device is an HCA with all of its ports."""
    ask = 'echo $CONTAINER_IB_PORTS; for port in 1 2; do ibv_devinfo -d "${CONTAINER_IB_PORTS%:*}" -i $port | grep -w port:; done'
    done = must(srun("-w", "n0", "-n2", "--container-ib=verbs,rails=1", "bash", "-c", ask))
    assert sum(line.split()[-1] == "2" for line in done.lines if "port:" in line) == 2, done
    assert sum(":" in line and "," not in line and "mlx5" in line for line in done.lines) == 2, done
