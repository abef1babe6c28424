"""The system calls that a strategy's process is left, by number; standard library only.

`name:x86_64:aarch64`, `-` where an architecture has no such call. A test compares the numbers
with the kernel's own headers.
"""

from __future__ import annotations

MACHINES = ("x86_64", "aarch64")

_FREE = """
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 open:2:-
openat:257:56 close:3:57 close_range:436:436 stat:4:- fstat:5:80 lstat:6:- newfstatat:262:79
statx:332:291 access:21:- faccessat:269:48 faccessat2:439:439 readlink:89:- readlinkat:267:78
getdents64:217:61 lseek:8:62 ftruncate:77:46 truncate:76:45 fallocate:285:47 fsync:74:82
fdatasync:75:83 flock:73:32 fadvise64:221:223 sendfile:40:71 copy_file_range:326:285 dup:32:23
dup2:33:- dup3:292:24 pipe:22:- pipe2:293:59 umask:95:166 getcwd:79:17 chdir:80:49 fchdir:81:50
mkdir:83:- mkdirat:258:34 rmdir:84:- unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38
renameat2:316:276 link:86:- linkat:265:37 symlink:88:- symlinkat:266:36 chmod:90:- fchmod:91:52
fchmodat:268:53 fchmodat2:452:452 utimensat:280:88 statfs:137:43 fstatfs:138:44 getxattr:191:8
lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11 llistxattr:195:12 flistxattr:196:13

mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 madvise:28:233 brk:12:214 futex:202:98
set_robust_list:273:99 rseq:334:293 membarrier:324:283 exit:60:93 exit_group:231:94
sched_yield:24:124 sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120
sched_get_priority_max:146:125 sched_get_priority_min:147:126 getcpu:309:168 getrandom:318:278
clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 nanosleep:35:101
gettimeofday:96:169 time:201:- times:100:153

gettid:186:178 getpid:39:172 getppid:110:173 getuid:102:174 geteuid:107:175 getgid:104:176
getegid:108:177 getgroups:115:158 getresuid:118:148 getresgid:120:150 getpgrp:111:-
getpgid:121:155 getsid:124:156 getrusage:98:165 sysinfo:99:179 uname:63:160 getrlimit:97:163
setrlimit:160:164

poll:7:- ppoll:271:73 select:23:- pselect6:270:72 epoll_create:213:- epoll_create1:291:20
epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441 eventfd2:290:19
rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136
rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 alarm:37:- setitimer:38:103
getitimer:36:102 pause:34:- restart_syscall:219:128 wait4:61:260 waitid:247:95

sendto:44:206 recvfrom:45:207 shutdown:48:210 getsockopt:55:209 getsockname:51:204
getpeername:52:205
"""
_CONDITIONAL = """
clone:56:220 clone3:435:435 fcntl:72:25 ioctl:16:29 prctl:157:167 prlimit64:302:261
socketpair:53:199 kill:62:129 tkill:200:130 tgkill:234:131
"""


def _table(text: str, machine: str) -> dict[str, int]:
    column = 1 + MACHINES.index(machine)
    rows = (entry.split(":") for entry in text.split())
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def free(machine: str) -> dict[str, int]:
    """Calls that are let through whatever their arguments are."""
    return _table(_FREE, machine)


def conditional(machine: str) -> dict[str, int]:
    """Calls whose arguments decide."""
    return _table(_CONDITIONAL, machine)
