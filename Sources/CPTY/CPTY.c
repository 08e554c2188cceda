#define _GNU_SOURCE
#include "CPTY.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_attribute) && __has_attribute(disable_sanitizer_instrumentation)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNINSTRUMENTED
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_setgroups32
#define SYS_setgroups32 SYS_setgroups
#endif

// A descriptor over 2, whatever this process was started with: the child's 0, 1 and 2 are made from it.
static int lifted(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  errno = error;
  return higher;
}

// A child that stays the same user runs in the memory of this process, whose thread waits for it to exec or exit, as
// with vfork(2): copying the page tables of a node with many sessions takes long. One that becomes another user gets a
// copy: that user may stop it before it executes its program, and whoever may trace it sees its memory. Its stack is its
// own.
enum { stack_size = 64 * 1024, kernel_signals = 64, kernel_signal_set = kernel_signals / 8 };

struct failure {
  int error;
  char step;
};

struct start {
  const struct cpty_command *command;
  int slave;   // over 2
  int report;  // where a child with a memory of its own tells its failure, over 2; -1: it has ours
  struct failure failure;
};

UNINSTRUMENTED static int fail(struct start *start, char step, int error) {
  start->failure.step = step;
  start->failure.error = error;
  if (start->report >= 0 && write(start->report, &start->failure, sizeof start->failure) < 0) _exit(126);
  _exit(127);
}

// The first of the candidates that can be executed, by the user whose process it is: what others may not see, they do
// not learn of either.
UNINSTRUMENTED static int execute(struct start *start) {
  const struct cpty_command *command = start->command;
  int forbidden = 0, last = ENOENT;
  for (int i = 0; command->paths[i]; i++) {
    const char *path = command->paths[i];
    struct stat status;
    if (command->names) command->argv[0] = command->names[i];
    execve(path, command->argv, command->envp);
    last = errno;
    if (command->is_path) return fail(start, 'x', last);
    if (stat(path, &status) || !S_ISREG(status.st_mode)) continue;
    if (last == EACCES) forbidden = 1;
    else if (!command->names) return fail(start, 'x', last);
  }
  return forbidden ? fail(start, 'x', EACCES) : fail(start, 'n', last);
}

UNINSTRUMENTED static int settle(struct start *start) {
  int first = 3;
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(start->slave, fd) < 0) return errno;
  if (start->report >= 0) {
    if (start->report != 3 && dup3(start->report, 3, O_CLOEXEC) < 0) return errno;
    start->report = 3;
    first = 4;
  }
  struct rlimit files;
  if (syscall(SYS_close_range, first, ~0U, 0) && getrlimit(RLIMIT_NOFILE, &files) == 0)
    // Before Linux 5.9. What is above a million is closed on exec.
    for (unsigned fd = (unsigned)first; fd < files.rlim_cur && fd < 1 << 20; fd++) close((int)fd);
  return 0;
}

// System calls only. Those that glibc carries out in every thread (setuid), or that a sanitizer keeps a record
// of in memory (sigaction), are made directly: the memory may be the parent's.
UNINSTRUMENTED static int child(void *argument) {
  struct start *start = argument;
  const struct cpty_command *command = start->command;
  long zero[8] = {0};  // SIG_DFL without flags, and an empty set
  for (int number = 1; number <= kernel_signals; number++)
    if (number != SIGKILL && number != SIGSTOP)
      syscall(SYS_rt_sigaction, number, zero, NULL, kernel_signal_set);
  // A session of its own, with the terminal as its controlling one.
  if (setsid() < 0 || ioctl(start->slave, TIOCSCTTY, 0)) return fail(start, 'p', errno);
  int error = settle(start);
  if (error) return fail(start, 'p', error);
  if (command->files_hard) {
    struct rlimit files = {.rlim_cur = command->files_soft, .rlim_max = command->files_hard};
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const struct cpty_user *user = command->user;
  if (user) {
    if (syscall(SYS_setgroups32, user->group_count, user->groups) ||
        syscall(SYS_setresgid, user->gid, user->gid, user->gid) ||
        syscall(SYS_setresuid, user->uid, user->uid, user->uid))
      return fail(start, 'u', errno);
    // To become another user may undo it (fs.suid_dumpable), and the copy holds what the node's memory does.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  // As that user.
  if (command->directory && chdir(command->directory)) {
    if (!command->is_directory_preferred) return fail(start, 'd', errno);
    if (chdir("/")) return fail(start, 'd', errno);
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, zero, NULL, kernel_signal_set);
  return execute(start);
}

// Milliseconds of a clock that only rises.
static long long clock_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

// What the child with a memory of its own says: nothing, once it has executed its program, or has been killed before.
static struct failure hear(int report, pid_t pid, int patience) {
  struct failure failure = {0};
  long long end = clock_now() + patience;
  for (;;) {
    long long rest = end - clock_now();
    struct pollfd told = {.fd = report, .events = POLLIN};
    int count = poll(&told, 1, rest > 0 ? (int)rest : 0);
    if (count > 0) {
      if (read(report, &failure, sizeof failure) != sizeof failure) failure.error = 0;
      return failure;
    }
    if (count < 0 && errno == EINTR) continue;
    // A stopped process, too, goes at once.
    kill(pid, SIGKILL);
    return (struct failure){.error = ETIMEDOUT, .step = 't'};
  }
}

static int spawn_on(int slave, const struct cpty_command *command, pid_t *pid, char *step) {
  struct start start = {.command = command, .slave = slave, .report = -1};
  int report[2] = {-1, -1};
  *step = 'f';
  if (command->user && pipe2(report, O_CLOEXEC)) return errno;
  if (command->user && (start.report = lifted(report[1])) < 0) {
    int error = errno;
    close(report[0]);
    return error;
  }
  void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  int error = stack == MAP_FAILED ? errno : 0;
  if (!error) {
    // No handler of this process may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    // The kernel tells its number before it runs: this thread may hear of it only once it executes its program, which
    // a file system that does not answer may put off for ever.
    int shared = command->user ? 0 : CLONE_VM | CLONE_VFORK;
    *pid = clone(child, (char *)stack + stack_size, shared | CLONE_PARENT_SETTID | SIGCHLD, &start,
                 command->told);
    error = *pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
  }
  if (command->user) {
    close(start.report);
    if (!error) start.failure = hear(report[0], *pid, command->patience);
    close(report[0]);
  }
  if (error) return error;
  *step = start.failure.step;
  return start.failure.error;
}

int cpty_spawn(const struct cpty_command *command, struct cpty_process *out, char *step) {
  char slave[64];
  struct termios modes;
  *step = 'p';
  out->pid = 0;
  int master = lifted(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (master < 0) return errno;
  // The slave is kept open until the child has it: a master without any slave reads EIO.
  int keep = -1, error = 0;
  if (grantpt(master) || unlockpt(master)) error = errno;
  if (!error) error = ptsname_r(master, slave, sizeof slave);
  struct winsize size = {.ws_row = command->rows, .ws_col = command->columns};
  if (!error && ioctl(master, TIOCSWINSZ, &size)) error = errno;
  if (!error && (keep = lifted(open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC))) < 0) error = errno;
  if (!error && tcgetattr(keep, &modes) == 0) {
    modes.c_iflag |= IUTF8;  // so that erasing takes a whole character
    tcsetattr(keep, TCSANOW, &modes);
  }
  // Its user opens it by name, too.
  if (!error && command->user && fchown(keep, command->user->uid, (gid_t)-1)) error = errno;
  if (!error) error = spawn_on(keep, command, &out->pid, step);
  if (keep >= 0) close(keep);
  if (error) {
    close(master);
    return error;
  }
  out->master = master;
  return 0;
}

pid_t cpty_told(const pid_t *told) { return __atomic_load_n(told, __ATOMIC_ACQUIRE); }

int cpty_reap(pid_t pid, int *exit_code, int *signal_number) {
  int status;
  pid_t result;
  do result = waitpid(pid, &status, WNOHANG);
  while (result < 0 && errno == EINTR);
  if (result == 0) return 0;
  if (result < 0) return -1;
  *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  *signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return 1;
}

pid_t cpty_wait_any(void) {
  siginfo_t info = {0};
  int result;
  do result = waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
  while (result < 0 && errno == EINTR);
  return result < 0 ? 0 : info.si_pid;
}

int cpty_files(uint64_t *soft, uint64_t *hard) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files)) return errno;
  *soft = files.rlim_cur;
  *hard = files.rlim_max;
  return 0;
}

int cpty_set_files(uint64_t soft, uint64_t hard) {
  struct rlimit files = {.rlim_cur = soft, .rlim_max = hard};
  return setrlimit(RLIMIT_NOFILE, &files) ? errno : 0;
}

int cpty_conceal(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? errno : 0; }
