/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The part of event.h that is found at start, by iterators over open files. */
#ifndef BELTRACE_FOUND_H
#define BELTRACE_FOUND_H

/* A process that holds a socket open. */
struct owner {
	__u64 conn;
	__u32 pid;
	__u32 fd;
	__u32 watched;
	__u32 joins; /* it has made a listener a watched one */
	__u8 comm[COMM_LEN];
};

_Static_assert(sizeof(struct owner) == 40, "struct owner");

/* An open socket, and its network namespace. */
struct inhabitant {
	__u32 netns;
	__u32 pid;
	__u32 fd;
};

_Static_assert(sizeof(struct inhabitant) == 12, "struct inhabitant");

#endif
