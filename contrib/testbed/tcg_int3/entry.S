/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entry of int3. On the stack: RIP after the int3, CS, RFLAGS, RSP, SS.
 */
#include <linux/linkage.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include <asm/unwind_hints.h>

	.text
SYM_CODE_START(tcg_int3_entry)
	UNWIND_HINT_IRET_REGS
	ENDBR
	testb	$3, 8(%rsp)			/* from user mode: the kernel's */
	jnz	.Lkernels
	pushq	%rax
	UNWIND_HINT_IRET_REGS offset=8
	movq	8(%rsp), %rax
	cmpb	$0xcc, -1(%rax)			/* there is one: the kernel's */
	je	.Lkernels_pop
	decq	%rax				/* there is none any more: what is there now */
	movq	%rax, 8(%rsp)
	popq	%rax
	UNWIND_HINT_IRET_REGS
	orl	$X86_EFLAGS_RF, 16(%rsp)	/* translated anew, as load.c says */
	lock incq tcg_int3_stale(%rip)
	iretq
.Lkernels_pop:
	UNWIND_HINT_IRET_REGS offset=8
	popq	%rax
.Lkernels:
	UNWIND_HINT_IRET_REGS
	ANNOTATE_RETPOLINE_SAFE
	jmp	*tcg_int3_kernels(%rip)
SYM_CODE_END(tcg_int3_entry)
