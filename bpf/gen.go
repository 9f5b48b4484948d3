// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the programs that run in the kernel, as generated objects, and the Go types of what they send.
//
// The sources are the .h and .c files beside this one; event.h is the only definition of the wire.
package bpf

//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf -type event -type established_event -type accept_event -type close_event -type queue_event -type mark_event -type thread_event -type thread_state -type thread_wait -type sample_event -type drop_event -type accept_error_event -type tally_key -type tally -type turn_event -type move_event -type offcpu_event -type stack -type wait_event -type stall_event -type loop_key -type loop -type loop_list -type instance -type ready_key -type ready_count -type loop_kind -type wait_knows -type uring_event -type ring -type ring_work -type ring_count -type ring_op_key -type ring_op -type uring_how -type turn_dir -type owner -type inhabitant -type group_path -type event_kind -type sock_role -type event_side -type end_reason -type drop_stage -type drop_cause -type tally_what -type event_has -type lost_where Kernel beltrace.bpf.c -- -Iinclude -O2 -g -gno-column-info -Wall -Werror -mcpu=v2

// The loader needs no relocations of line numbers, a quarter of each object, and no names of the places that jumps go to.
//go:generate llvm-objcopy-16 --remove-section=.rel.BTF.ext --wildcard --strip-symbol=LBB* kernel_x86_bpfel.o
//go:generate llvm-objcopy-16 --remove-section=.rel.BTF.ext --wildcard --strip-symbol=LBB* kernel_arm64_bpfel.o

// Each file says its licence in its first line.
//go:generate sed -i "1i // SPDX-License-Identifier: Apache-2.0\\n" kernel_x86_bpfel.go kernel_arm64_bpfel.go
