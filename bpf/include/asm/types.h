/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* For <linux/types.h>: the same on every architecture that we build for, whatever the host has. */
#include <asm-generic/types.h>
