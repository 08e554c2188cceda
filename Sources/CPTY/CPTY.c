#define _GNU_SOURCE
#include "CPTY.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int spawn_on(const char *slave, const char *path, char *const argv[], char *const envp[],
                    const char *directory, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  if ((error = posix_spawnattr_init(&attributes))) {
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  // The first terminal that a session leader opens becomes its controlling terminal.
  if (!error) error = posix_spawn_file_actions_addopen(&actions, 0, slave, O_RDWR, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, 0, 1);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, 0, 2);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!error && directory) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
  if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (!error)
    error = posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (!error) error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

int cpty_spawn(const char *path, char *const argv[], char *const envp[], const char *directory,
               unsigned short columns, unsigned short rows, struct cpty_process *out, char *step) {
  char slave[64];
  struct termios modes;
  *step = 'p';
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return errno;
  // The slave is kept open until the child has it: a master without any slave reads EIO.
  int keep = -1, error = 0;
  if (grantpt(master) || unlockpt(master)) error = errno;
  if (!error) error = ptsname_r(master, slave, sizeof slave);
  if (!error) error = cpty_resize(master, columns, rows);
  if (!error && (keep = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) error = errno;
  if (!error && tcgetattr(keep, &modes) == 0) {
    modes.c_iflag |= IUTF8;  // so that erasing takes a whole character
    tcsetattr(keep, TCSANOW, &modes);
  }
  if (!error && directory) {
    struct stat status;
    if (stat(directory, &status)) error = errno;
    else if (!S_ISDIR(status.st_mode)) error = ENOTDIR;
    else if (access(directory, X_OK)) error = errno;
    if (error) *step = 'd';
  }
  if (!error) {
    *step = 'x';
    error = spawn_on(slave, path, argv, envp, directory, &out->pid);
  }
  if (keep >= 0) close(keep);
  if (error) {
    close(master);
    return error;
  }
  out->master = master;
  out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0);  // close-on-exec by definition
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

int cpty_exits_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cpty_exits_add(int set, int pidfd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = pidfd};
  return epoll_ctl(set, EPOLL_CTL_ADD, pidfd, &event) ? errno : 0;
}

void cpty_exits_remove(int set, int pidfd) { epoll_ctl(set, EPOLL_CTL_DEL, pidfd, NULL); }

int cpty_exits_wait(int set, int *exited, int max) {
  struct epoll_event events[64];
  int count = epoll_wait(set, events, max < 64 ? max : 64, -1);
  for (int i = 0; i < count; i++) exited[i] = events[i].data.fd;
  return count;
}
