/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The numbers of system calls that programs look for, by architecture. */
#ifndef BELTRACE_CALLNUMBERS_H
#define BELTRACE_CALLNUMBERS_H

#define NR_IO_URING_ENTER 426

#if defined(__TARGET_ARCH_x86)
#define NR_READ 0
#define NR_WRITE 1
#define NR_READV 19
#define NR_WRITEV 20
#define NR_SENDTO 44
#define NR_RECVFROM 45
#define NR_SENDMSG 46
#define NR_RECVMSG 47
#define NR_POLL 7
#define NR_CONNECT 42
#define NR_EPOLL_WAIT 232
#define NR_PPOLL 271
#define NR_EPOLL_PWAIT 281
#define NR_EPOLL_PWAIT2 441
#define NR_EPOLL_CTL 233
#define NR_EPOLL_CREATE 213
#define NR_EPOLL_CREATE1 291
#define NR_SELECT 23
#define NR_PSELECT6 270
#define NR_LISTEN 50
#define NR_SPLICE 275
#define NR_PREADV2 327
#define NR_PWRITEV2 328
#define NR_ACCEPT 43
#define NR_ACCEPT4 288
#else
#define NR_READ 63
#define NR_WRITE 64
#define NR_READV 65
#define NR_WRITEV 66
#define NR_SENDTO 206
#define NR_RECVFROM 207
#define NR_SENDMSG 211
#define NR_RECVMSG 212
#define NR_POLL -2 /* there is none */
#define NR_CONNECT 203
#define NR_EPOLL_WAIT -3
#define NR_PPOLL 73
#define NR_EPOLL_PWAIT 22
#define NR_EPOLL_PWAIT2 441
#define NR_EPOLL_CTL 21
#define NR_EPOLL_CREATE -5
#define NR_EPOLL_CREATE1 20
#define NR_SELECT -4
#define NR_PSELECT6 72
#define NR_LISTEN 201
#define NR_SPLICE 76
#define NR_PREADV2 286
#define NR_PWRITEV2 287
#define NR_ACCEPT 202
#define NR_ACCEPT4 242
#endif

#endif
