"""The walls around code that a language model wrote.

What a strategy's process may reach: our surface, the interpreter with its standard library, the
few libraries that LEAN has, 64 MB of a /tmp of its own, and one socket to the simulator. Files:

    launch.py      starts a warm process behind the walls, forks strategies from it, ends them
    zygote.py      that process
    bubblewrap.py  the walls made by bwrap, where it is installed
    mounts.py      the same root, made by ourselves
    root.py        what is in the root
    kernel.py      namespaces, identities, capabilities, limits
    seccomp.py     which system calls are left, and syscalls.py their numbers
    refusals.py    why a machine refuses a wall, and the cure
    probe/         tries the walls from the inside, for `qc-lora doctor`
"""
