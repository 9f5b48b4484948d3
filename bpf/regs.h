/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Registers of a task in the layout that the ABI fixes (arch/x86/include/asm/ptrace.h, arm64's user_pt_regs): the
 * context of kprobes and uprobes, and what bpf_task_pt_regs() points at.
 */
#ifndef BELTRACE_REGS_H
#define BELTRACE_REGS_H

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#define REG_ARG1(r) ((r)->di)
#define REG_ARG2(r) ((r)->si)
#define REG_ARG3(r) ((r)->dx)
#define REG_ARG4(r) ((r)->cx)
#define REG_CALL4(r) ((r)->r10) /* of a system call */
#define REG_RET(r) ((r)->ax)
#define REG_GO1(r) ((r)->ax) /* Go's register ABI (ABIInternal) */
#define REG_GO2(r) ((r)->bx)
#define REG_GO3(r) ((r)->cx)
#define REG_GO4(r) ((r)->di)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long regs[31], sp, pc, pstate;
};
#define REG_ARG1(r) ((r)->regs[0])
#define REG_ARG2(r) ((r)->regs[1])
#define REG_ARG3(r) ((r)->regs[2])
#define REG_ARG4(r) ((r)->regs[3])
#define REG_CALL4(r) ((r)->regs[3])
#define REG_RET(r) ((r)->regs[0])
#define REG_GO1(r) ((r)->regs[0])
#define REG_GO2(r) ((r)->regs[1])
#define REG_GO3(r) ((r)->regs[2])
#define REG_GO4(r) ((r)->regs[3])
#endif

#endif
