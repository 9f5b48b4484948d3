// SPDX-License-Identifier: Apache-2.0

// Package truth tests beltrace against programs that know what they did.
//
// Child processes make connections by plain system calls and say over a pipe what they did: process, thread, ports,
// descriptors, bytes, and the time before and after each call. The tests open a live session, let them work, and
// compare event by event. Nothing is looked at that a program did not do itself: every test has a network namespace of
// its own. The tests need root and a kernel with BTF; test/vm runs them in others than this machine's.
package truth
