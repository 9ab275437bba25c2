// SPDX-License-Identifier: GPL-2.0-only
/* Two ranks send each other checked data: proves that bytes arrive intact. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static const int sizes[] = { 8, 65536, 1048576 };

static void bad_data(void)
{
	fprintf(stderr, "bad data\n");
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void pingpong(char *buf, int size, int rounds, int rank)
{
	for (int i = 0; i < rounds; i++) {
		if (rank == 0) {
			buf[0] = buf[size - 1] = (char)i;
			MPI_Send(buf, size, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
			buf[0] = buf[size - 1] = 0;
			MPI_Recv(buf, size, MPI_CHAR, 1, 0, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
			if (buf[0] != (char)(i + 1) || buf[size - 1] != (char)(i + 1))
				bad_data();
		} else {
			MPI_Recv(buf, size, MPI_CHAR, 0, 0, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
			buf[0]++;
			buf[size - 1]++;
			MPI_Send(buf, size, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
		}
	}
}

int main(int argc, char **argv)
{
	int rank, rounds = 20;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	for (unsigned int k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		char *buf = calloc(1, sizes[k]);
		double t;

		if (!buf)
			MPI_Abort(MPI_COMM_WORLD, 2);
		MPI_Barrier(MPI_COMM_WORLD);
		t = MPI_Wtime();
		pingpong(buf, sizes[k], rounds, rank);
		if (rank == 0)
			printf("%d bytes: %.1f us half round trip\n", sizes[k],
			       (MPI_Wtime() - t) / rounds / 2 * 1e6);
		free(buf);
	}
	MPI_Finalize();
	return 0;
}
