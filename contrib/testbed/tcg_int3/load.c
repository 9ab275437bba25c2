// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcg_int3: lets a kernel patch its own code under QEMU's multi-threaded emulation (TCG).
 *
 * To patch code that other CPUs run, Linux puts an int3 over an instruction's first byte, then the new bytes behind it,
 * and at last the first byte (arch/x86/kernel/alternative.c, text_poke_bp_batch). TCG forgets its translation of a piece
 * of code before it does the store that changes it (accel/tcg/cputlb.c, notdirty_write). In between, another CPU that
 * runs this code translates it again, with the int3 that is about to go, and nothing tells it later. It then traps
 * for ever at an int3 that is not in memory: Linux 6.1 goes back to run what is there now (kprobe_int3_handler), traps
 * again, and hangs; 6.12 panics ("Oops: int3"). QEMU 7.2 and 10.0 both do it; tests/cluster/test_emulation.py brings it
 * about within seconds. With thread=single there is no such race, but two spinning MPI ranks need milliseconds a message.
 *
 * Here too such a trap goes back, but with RFLAGS.RF set. The flag is a part of what TCG finds a translation by, and it
 * lasts for one instruction: that one is translated from what memory has, and all goes on.
 *
 * Before this is loaded there is one CPU only (maxcpus=1, lib/testbed/qemu.py); guest/init brings up the others after it.
 *
 * The kernel's own table of interrupts is read-only. Each CPU is given a copy that differs in this one entry.
 */
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/string.h>

#include <asm/desc.h>
#include <asm/trapnr.h>

void tcg_int3_entry(void); /* entry.S */
unsigned long tcg_int3_kernels; /* the kernel's entry */
unsigned long tcg_int3_stale; /* traps without an int3, so far */
module_param_named(stale, tcg_int3_stale, ulong, 0444);

static struct desc_ptr ours;

static int use_on_this_cpu(unsigned int cpu)
{
	native_load_idt(&ours);
	return 0;
}

static int __init tcg_int3_init(void)
{
	struct desc_ptr kernels;
	gate_desc *table;
	const unsigned long entry = (unsigned long)tcg_int3_entry;
	int state;

	store_idt(&kernels);
	table = (gate_desc *)get_zeroed_page(GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	memcpy(table, (const void *)kernels.address, kernels.size + 1);
	tcg_int3_kernels = gate_offset(&table[X86_TRAP_BP]);
	table[X86_TRAP_BP].offset_low = entry;
	table[X86_TRAP_BP].offset_middle = entry >> 16;
	table[X86_TRAP_BP].offset_high = entry >> 32;
	ours = (struct desc_ptr){ .size = kernels.size, .address = (unsigned long)table };
	/* Those that are online now, and each that comes. The table stays: the module cannot be unloaded. */
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "tcg_int3:online", use_on_this_cpu, NULL);
	if (state < 0)
		free_page((unsigned long)table);
	return state < 0 ? state : 0;
}
module_init(tcg_int3_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Lets a kernel patch its own code under QEMU's emulation");
