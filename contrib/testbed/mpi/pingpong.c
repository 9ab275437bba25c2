/*
 * pingpong [LATENCY_ITERATIONS [BANDWIDTH_ITERATIONS]]
 *
 * Measures between rank 0 and the last rank: the latency of 8 bytes (half a round trip) and the bandwidth of 1 MiB,
 * and checks every payload. Rank 0 prints one JSON object with the numbers and with what every rank is: its host and
 * the ports it was given. A wrong payload ends the job with exit status 1. With one rank there is nothing to measure.
 *
 * With PINGPONG_WITHOUT_FINALIZE in the environment MPICH's ranks end without MPI_Finalize. Before 4.2 it may hang there over
 * UCX: a rank that has closed its endpoints waits in PMI's barrier and does nothing for UCX, whose other end may need it to close
 * its own (https://github.com/pmodels/mpich/pull/6596). Only by TCP: a queue pair takes with it what it has yet to send.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 8, LARGE = 1 << 20, TEXT = 256 };

struct rank {
	char host[TEXT];
	char ports[TEXT];
};

static void fill(unsigned char *buffer, int size, int seed)
{
	for (int i = 0; i < size; i++)
		buffer[i] = (unsigned char)(seed * 131 + i * 7 + (i >> 8));
}

static void check(const unsigned char *got, unsigned char *want, int size, int seed)
{
	fill(want, size, seed);
	if (memcmp(got, want, size) != 0) {
		fprintf(stderr, "pingpong: a message of %d bytes arrived wrong\n", size);
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
}

/* Seconds per round trip; both ends fill and check outside of what is timed. */
static double round_trip(int me, int peer, int size, int iterations)
{
	unsigned char *out = malloc(size), *in = malloc(size), *want = malloc(size);
	double begin, spent = 0;

	for (int i = -1; i < iterations; i++) { /* the first one only sets the connection up */
		fill(out, size, i + me);
		begin = MPI_Wtime();
		if (me == 0) {
			MPI_Send(out, size, MPI_BYTE, peer, 0, MPI_COMM_WORLD);
			MPI_Recv(in, size, MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		} else {
			MPI_Recv(in, size, MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			MPI_Send(out, size, MPI_BYTE, peer, 0, MPI_COMM_WORLD);
		}
		if (i >= 0)
			spent += MPI_Wtime() - begin;
		check(in, want, size, i + peer);
	}
	free(out);
	free(in);
	free(want);
	return iterations > 0 ? spent / iterations : 0;
}

int main(int argc, char **argv)
{
	int rank, size, length, latency_runs = argc > 1 ? atoi(argv[1]) : 200, bandwidth_runs = argc > 2 ? atoi(argv[2]) : 8;
	double latency = 0, bandwidth = 0;
	struct rank me = { "", "" }, *all;
	const char *ports = getenv("CONTAINER_IB_PORTS");

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	char host[MPI_MAX_PROCESSOR_NAME];
	MPI_Get_processor_name(host, &length);
	snprintf(me.host, sizeof(me.host), "%s", host);
	snprintf(me.ports, sizeof(me.ports), "%s", ports ? ports : "");
	all = calloc(size, sizeof(*all));
	MPI_Gather(&me, sizeof(me), MPI_BYTE, all, sizeof(me), MPI_BYTE, 0, MPI_COMM_WORLD);

	int last = size - 1;
	if (size > 1 && (rank == 0 || rank == last)) {
		int peer = rank == 0 ? last : 0;
		double seconds = round_trip(rank, peer, LARGE, bandwidth_runs);

		latency = round_trip(rank, peer, SMALL, latency_runs) / 2 * 1e6;
		bandwidth = seconds > 0 ? 2.0 * LARGE / seconds / 1e6 : 0;
	}
	if (rank == 0) {
		printf("{\"ranks\": %d, \"latency_us\": %.2f, \"bandwidth_mb_s\": %.1f, \"where\": [", size, latency, bandwidth);
		for (int i = 0; i < size; i++)
			printf("%s{\"rank\": %d, \"host\": \"%s\", \"ports\": \"%s\"}", i ? ", " : "", i, all[i].host, all[i].ports);
		printf("]}\n");
	}
	free(all);
#ifdef MPICH_VERSION
	if (getenv("PINGPONG_WITHOUT_FINALIZE")) {
		fflush(stdout);
		MPI_Barrier(MPI_COMM_WORLD);
		_exit(0);
	}
#endif
	MPI_Finalize();
	return 0;
}
