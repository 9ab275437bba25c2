"""Nodes in virtual machines: what `testbed up` makes and remembers for an instance of them."""

from . import access, accelerator, disk, qemu


def facts(image, layout):
    """What the instance is remembered by."""
    return {
        "accelerator": accelerator.choose(image, layout.model),
        "model": layout.model.name,
        "rdma": layout.options.rdma,
        "vfs": layout.options.vfs,
        "vf_guids": layout.options.vf_guids,
        "guests": layout.options.guests,
    }


def prepare(instance, image, _layout, content):
    """What all guests of the instance have, from the folder that they add to their tree."""
    disk.build(content, _layer(instance))
    access.keep_keys(instance, image)


def command(instance, image, layout, guest):
    """The command line of a guest."""
    return qemu.command(image, instance.known["accelerator"], _layer(instance), layout, guest.number)


def _layer(instance):
    return instance.folder / "layer.ext4"
