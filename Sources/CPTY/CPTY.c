#define _GNU_SOURCE
#include "CPTY.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
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

// The child runs in the memory of this process, which waits for it to exec or exit, as with vfork(2): copying
// the page tables of a node with many sessions would take long. Its stack is its own.
enum { stack_size = 64 * 1024, kernel_signals = 64, kernel_signal_set = kernel_signals / 8 };

struct start {
  const struct cpty_command *command;
  int slave;  // over 2
  int error;
  char step;
};

UNINSTRUMENTED static int fail(struct start *start, char step, int error) {
  start->step = step;
  start->error = error;
  _exit(127);
}

// System calls only. Those that glibc carries out in every thread (setuid), or that a sanitizer keeps a record
// of in memory (sigaction), are made directly: the memory is the parent's.
UNINSTRUMENTED static int child(void *argument) {
  struct start *start = argument;
  const struct cpty_command *command = start->command;
  long zero[8] = {0};  // SIG_DFL without flags, and an empty set
  for (int number = 1; number <= kernel_signals; number++)
    if (number != SIGKILL && number != SIGSTOP)
      syscall(SYS_rt_sigaction, number, zero, NULL, kernel_signal_set);
  // A session of its own, with the terminal as its controlling one.
  if (setsid() < 0 || ioctl(start->slave, TIOCSCTTY, 0)) return fail(start, 'p', errno);
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(start->slave, fd) < 0) return fail(start, 'p', errno);
  struct rlimit files;
  if (syscall(SYS_close_range, 3, ~0U, 0) && getrlimit(RLIMIT_NOFILE, &files) == 0)
    // Before Linux 5.9. What is above a million is closed on exec.
    for (unsigned fd = 3; fd < files.rlim_cur && fd < 1 << 20; fd++) close((int)fd);
  if (command->files_hard) {
    files.rlim_cur = command->files_soft;
    files.rlim_max = command->files_hard;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const struct cpty_user *user = command->user;
  if (user && (syscall(SYS_setgroups32, user->group_count, user->groups) ||
               syscall(SYS_setresgid, user->gid, user->gid, user->gid) ||
               syscall(SYS_setresuid, user->uid, user->uid, user->uid)))
    return fail(start, 'u', errno);
  // As that user.
  if (command->directory && chdir(command->directory)) {
    if (!command->is_directory_preferred) return fail(start, 'd', errno);
    if (chdir("/")) return fail(start, 'd', errno);
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, zero, NULL, kernel_signal_set);
  execve(command->path, command->argv, command->envp);
  return fail(start, 'x', errno);
}

static int spawn_on(int slave, const struct cpty_command *command, pid_t *pid, char *step) {
  struct start start = {.command = command, .slave = slave};
  *step = 'f';
  void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  // No handler of this process may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  // The kernel tells its number before it runs: this thread hears of it only once it executes its program, which
  // a file system that does not answer may put off for ever.
  *pid = clone(child, (char *)stack + stack_size,
               CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, &start, command->told);
  int error = *pid < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, stack_size);
  if (!error && start.error) {
    error = start.error;
    *step = start.step;
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
  }
  return error;
}

// A descriptor over 2, whatever this process was started with: the child's 0, 1 and 2 are made from it.
static int lifted(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  errno = error;
  return higher;
}

int cpty_spawn(const struct cpty_command *command, struct cpty_process *out, char *step) {
  char slave[64];
  struct termios modes;
  *step = 'p';
  int master = lifted(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (master < 0) return errno;
  // The slave is kept open until the child has it: a master without any slave reads EIO.
  int keep = -1, error = 0;
  if (grantpt(master) || unlockpt(master)) error = errno;
  if (!error) error = ptsname_r(master, slave, sizeof slave);
  if (!error) error = cpty_resize(master, command->columns, command->rows);
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

int cpty_resize(int master, unsigned short columns, unsigned short rows) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return ioctl(master, TIOCSWINSZ, &size) ? errno : 0;
}

pid_t cpty_foreground(int master) { return tcgetpgrp(master); }

int cpty_discard_input(int master, unsigned char key) {
  struct termios modes;
  if (tcgetattr(master, &modes) != 0) return 0;
  if (!(modes.c_lflag & ISIG) || (modes.c_lflag & NOFLSH) || key == _POSIX_VDISABLE) return 0;
  if (key != modes.c_cc[VINTR] && key != modes.c_cc[VQUIT] && key != modes.c_cc[VSUSP]) return 0;
  // What is on its way, and what has arrived and was not read: the other side alone can drop that.
  tcflush(master, TCOFLUSH);
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (slave < 0) return 0;
  tcflush(slave, TCIFLUSH);
  close(slave);
  return 1;
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
