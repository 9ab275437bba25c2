// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings of CQs, SRQs and receive queues, instead of rdmavt's.
 *
 * A device that can be taken away from processes that use it (removal, a move
 * to another net namespace) needs ib_device_ops.disassociate_ucontext.  Then
 * mappings outlive the ucontext, but rdmavt's last munmap follows
 * rvt_mmap_info.context into it: freed memory.  So the mapping side is ours and
 * never looks at the context.  The memory is plain vmalloc memory with a
 * reference of its own: there is nothing to zap, the process just sees no more
 * completions.
 *
 * rdmavt's resize of a user CQ or SRQ puts the rvt_mmap_info back on a list of
 * the device, where the last munmap could not take it off any more: those two
 * calls are refused for user objects (the prototype leaked them).
 */
#define pr_fmt(fmt) "vhca: " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include "vhca.h"

void vh_disassociate(struct ib_ucontext *ctx)
{
}

/* The object and all its mappings are gone. */
static void vh_free_map(struct kref *ref)
{
	struct rvt_mmap_info *ip = container_of(ref, struct rvt_mmap_info, ref);

	/* mapped once, hence off the pending list; see vh_mmap_wrap() */
	WARN_ON_ONCE(!list_empty(&ip->pending_mmaps));
	vfree(ip->obj);
	kfree(ip);
}

/* uverbs does not pin a driver that can disassociate, so a mapping does. */
static void vh_vma_open(struct vm_area_struct *vma)
{
	struct rvt_mmap_info *ip = vma->vm_private_data;

	__module_get(THIS_MODULE);
	kref_get(&ip->ref);
}

static void vh_vma_close(struct vm_area_struct *vma)
{
	struct rvt_mmap_info *ip = vma->vm_private_data;

	kref_put(&ip->ref, vh_free_map);
	module_put(THIS_MODULE);
}

static const struct vm_operations_struct vh_vm_ops = {
	.open = vh_vma_open,
	.close = vh_vma_close,
};

int vh_mmap(struct ib_ucontext *ctx, struct vm_area_struct *vma)
{
	struct rvt_dev_info *rdi = ib_to_rvt(ctx->device);
	u64 off = (u64)vma->vm_pgoff << PAGE_SHIFT;
	struct rvt_mmap_info *ip, *found = NULL;
	int ret;

	spin_lock_irq(&rdi->pending_lock);
	list_for_each_entry(ip, &rdi->pending_mmaps, pending_mmaps) {
		if (ip->context != ctx || ip->offset != off)
			continue;
		/* the reference: another thread may destroy the object now */
		if (vma->vm_end - vma->vm_start <= ip->size &&
		    kref_get_unless_zero(&ip->ref)) {
			list_del_init(&ip->pending_mmaps);
			found = ip;
		}
		break;
	}
	spin_unlock_irq(&rdi->pending_lock);
	if (!found)
		return -EINVAL;

	ret = remap_vmalloc_range(vma, found->obj, 0);
	if (!ret) {
		vma->vm_ops = &vh_vm_ops;
		vma->vm_private_data = found;
		vh_vma_open(vma);
	}
	kref_put(&found->ref, vh_free_map);
	return ret;
}

static int vh_resize_cq(struct ib_cq *cq, int cqe, struct ib_udata *udata)
{
	return udata ? -EOPNOTSUPP :
		to_vh(cq->device)->rvt_resize_cq(cq, cqe, udata);
}

static int vh_modify_srq(struct ib_srq *srq, struct ib_srq_attr *attr,
			 enum ib_srq_attr_mask mask, struct ib_udata *udata)
{
	if (udata && (mask & IB_SRQ_MAX_WR))
		return -EOPNOTSUPP;
	return to_vh(srq->device)->rvt_modify_srq(srq, attr, mask, udata);
}

/* After rdmavt has filled in its operations, before anybody can call them. */
void vh_mmap_wrap(struct vh_dev *dev)
{
	struct ib_device *ibdev = &dev->rdi.ibdev;

	if (ibdev->ops.resize_cq == vh_resize_cq)
		return;			/* back from another net namespace */
	dev->rvt_resize_cq = ibdev->ops.resize_cq;
	dev->rvt_modify_srq = ibdev->ops.modify_srq;
	ibdev->ops.resize_cq = vh_resize_cq;
	ibdev->ops.modify_srq = vh_modify_srq;
}
