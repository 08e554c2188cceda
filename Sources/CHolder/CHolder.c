#define _GNU_SOURCE
#include "CHolder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

// MARK: Texts

// Puts texts together; the last of them is NULL. False if they do not fit. With snprintf would come the arithmetic of
// long double, which on arm64 is a library that no musl has.
static int join(char *out, size_t capacity, const char *const *texts) {
  size_t length = 0;
  for (; *texts; texts++) {
    size_t count = strlen(*texts);
    if (count >= capacity - length) return 0;
    memcpy(out + length, *texts, count);
    length += count;
  }
  out[length] = 0;
  return 1;
}
#define JOIN(out, ...) join(out, sizeof out, (const char *const[]){__VA_ARGS__, NULL})

// A number's digits, at the end of `out`.
static const char *decimal(char out[21], uint64_t number) {
  char *at = out + 20;
  *at = 0;
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  return at;
}

// MARK: The process itself

// Closes all descriptors from `first` on.
static void close_from(unsigned first) {
  struct rlimit files;
  if (syscall(SYS_close_range, first, ~0U, 0) == 0 || getrlimit(RLIMIT_NOFILE, &files)) return;
  for (unsigned fd = first; fd < files.rlim_cur && fd < 1 << 20; fd++) close((int)fd);
}

static struct rlimit files_at_start;

void holder_hide(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int holder_prepare(int *kept) {
  // What its starter had open would else stay open for as long as the last session lives.
  if (*kept >= 0) {
    if (*kept != 3) dup3(*kept, 3, O_CLOEXEC);
    *kept = 3;
  }
  close_from(*kept >= 0 ? 4 : 3);
  // Each session takes a descriptor; its processes get the limit that this one was started with.
  if (getrlimit(RLIMIT_NOFILE, &files_at_start) == 0) {
    struct rlimit most = {.rlim_cur = files_at_start.rlim_max, .rlim_max = files_at_start.rlim_max};
    setrlimit(RLIMIT_NOFILE, &most);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int holder_detach(void) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC)) return -errno;
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child > 0) {
    close(pipes[1]);
    unsigned char status = 71;  // EX_OSERR: it ended without a word
    ssize_t ignored = holder_read(pipes[0], &status, 1);
    (void)ignored;
    _exit(status);
  }
  close(pipes[0]);
  setsid();
  return chdir("/") ? -errno : pipes[1];
}

void holder_detached(int fd, unsigned char status) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0)
    for (int standard = 0; standard <= 2; standard++) dup2(null, standard);
  holder_close(null);
  ssize_t ignored = holder_write(fd, &status, 1);
  (void)ignored;
  holder_close(fd);
}

extern char **environ;

char *const *holder_environment(void) { return environ; }

long holder_length(const char *text) { return (long)strlen(text); }

void holder_random(void *bytes, size_t count) {
  while (count > 0) {
    ssize_t got = getrandom(bytes, count, 0);
    if (got > 0) {
      bytes = (char *)bytes + got;
      count -= (size_t)got;
    }
  }
}

uint64_t holder_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// MARK: Descriptors

ssize_t holder_read(int fd, void *bytes, size_t count) {
  ssize_t got;
  do got = read(fd, bytes, count);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

ssize_t holder_write(int fd, const void *bytes, size_t count) {
  ssize_t put;
  do put = write(fd, bytes, count);
  while (put < 0 && errno == EINTR);
  return put < 0 ? -errno : put;
}

void holder_close(int fd) {
  if (fd >= 0) close(fd);
}

static int address(const char *path, struct sockaddr_un *out) {
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof out->sun_path) return -ENAMETOOLONG;
  strcpy(out->sun_path, path);
  return 0;
}

int holder_connect(const char *path) {
  struct sockaddr_un to;
  int error = address(path, &to);
  if (error) return error;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
    error = -errno;
    close(fd);
    return error;
  }
  return fd;
}

// The directory is this user's own, and nobody else may write to it. It is made unless something of its name is there.
static int make_directory(const char *path) {
  char directory[PATH_MAX];
  if (strlen(path) >= sizeof directory) return -ENAMETOOLONG;
  strcpy(directory, path);
  char *slash = strrchr(directory, '/');
  if (!slash || slash == directory) return -EINVAL;
  *slash = 0;
  if (mkdir(directory, 0700) && errno != EEXIST) return -errno;
  struct stat status;
  if (lstat(directory, &status)) return -errno;
  if (!S_ISDIR(status.st_mode)) return -ENOTDIR;
  if (status.st_uid != geteuid() || (status.st_mode & 077)) return -EPERM;
  return 0;
}

// Whether the file at the path is still this one.
static int is_at(const char *path, int fd) {
  struct stat found, own;
  return lstat(path, &found) == 0 && fstat(fd, &own) == 0 && found.st_dev == own.st_dev &&
         found.st_ino == own.st_ino;
}

// How often, and at which interval, the lock is tried: a node that removes a folder which nobody uses has it for a moment.
enum { lock_tries = 200, lock_interval_us = 10 * 1000 };

// Makes the directory and takes the lock there for as long as this process lives: -EADDRINUSE if another one has it.
static int take_directory(const char *path) {
  char lock[PATH_MAX];
  if (!JOIN(lock, path, ".lock")) return -ENAMETOOLONG;
  for (int tries = 0; tries < lock_tries; tries++) {
    if (tries > 0) usleep(lock_interval_us);
    int error = make_directory(path);
    if (error) return error;
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != ENOENT) return -errno;
    // The directory was removed meanwhile.
    if (fd < 0) continue;
    int is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    error = is_locked ? 0 : -errno;
    if (is_locked && is_at(lock, fd)) return 0;
    close(fd);
    if (is_locked) continue;
    if (error != -EWOULDBLOCK) return error;
    int other = holder_connect(path);
    if (other >= 0) {
      holder_close(other);
      return -EADDRINUSE;
    }
  }
  return -EADDRINUSE;
}

int holder_listen(const char *path) {
  struct sockaddr_un at;
  int error = address(path, &at);
  if (!error) error = take_directory(path);
  if (error) return error;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  mode_t before = umask(077);
  int result = bind(fd, (struct sockaddr *)&at, sizeof at);
  if (result < 0 && errno == EADDRINUSE) {
    int other = holder_connect(path);
    if (other == -ECONNREFUSED) {
      unlink(path);
      result = bind(fd, (struct sockaddr *)&at, sizeof at);
    } else {
      holder_close(other);
      errno = EADDRINUSE;
    }
  }
  error = errno;
  umask(before);
  errno = error;
  if (result < 0 || listen(fd, 64) < 0) {
    error = -errno;
    close(fd);
    return error;
  }
  return fd;
}

void holder_remove(const char *path) { unlink(path); }

// One direction of a relay: what was read and is not written yet.
struct flow {
  int from, to;
  size_t start, end;
  char bytes[32 * 1024];
};

// False once it has ended.
static int pass(struct flow *flow, int may_read, int may_write) {
  if (may_read && flow->end == 0) {
    ssize_t got = holder_read(flow->from, flow->bytes, sizeof flow->bytes);
    if (got == 0 || (got < 0 && got != -EAGAIN)) return 0;
    if (got > 0) flow->end = (size_t)got;
    may_write = 1;
  }
  if (may_write && flow->end > 0) {
    ssize_t put = holder_write(flow->to, flow->bytes + flow->start, flow->end - flow->start);
    if (put < 0 && put != -EAGAIN) return 0;
    if (put > 0) flow->start += (size_t)put;
    if (flow->start == flow->end) flow->start = flow->end = 0;
  }
  return 1;
}

int holder_relay(int socket) {
  static struct flow in, out;
  signal(SIGPIPE, SIG_IGN);
  in.from = 0;
  in.to = out.from = socket;
  out.to = 1;
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
  for (;;) {
    struct pollfd found[3] = {
        {.fd = 0, .events = in.end ? 0 : POLLIN},
        {.fd = socket, .events = (short)((out.end ? 0 : POLLIN) | (in.end ? POLLOUT : 0))},
        {.fd = out.end ? 1 : -1, .events = POLLOUT},
    };
    // A side that has hung up would be told of without end while nothing is read from it.
    if (in.end) found[0].fd = -1;
    if (poll(found, 3, -1) < 0 && errno != EINTR) return 1;
    if (!pass(&in, found[0].revents != 0, found[1].revents & (POLLOUT | POLLERR | POLLHUP))) return 0;
    if (!pass(&out, found[1].revents & (POLLIN | POLLERR | POLLHUP), found[2].revents != 0)) return 0;
  }
}

int holder_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int holder_epoll(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int holder_watch(int epoll, int fd, int interest, int was, uint64_t tag) {
  struct epoll_event event = {.data.u64 = tag};
  if (interest & holder_readable) event.events |= EPOLLIN;
  if (interest & holder_writable) event.events |= EPOLLOUT;
  // What is of no interest is taken out: of a descriptor with an empty mask, epoll still tells of a hangup, each time.
  int operation = !interest ? EPOLL_CTL_DEL : was ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int holder_wait(int epoll, struct holder_event *events, int capacity, int milliseconds) {
  struct epoll_event found[64];
  if (capacity > 64) capacity = 64;
  int count = epoll_wait(epoll, found, capacity, milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++)
    events[i] = (struct holder_event){
        .tag = found[i].data.u64,
        .is_readable = (found[i].events & EPOLLIN) != 0,
        .is_writable = (found[i].events & EPOLLOUT) != 0,
        .is_closed = (found[i].events & (EPOLLHUP | EPOLLERR)) != 0,
    };
  return count;
}

int holder_signals(int fd) {
  struct signalfd_siginfo info[8];
  int result = 0;
  for (;;) {
    ssize_t got = read(fd, info, sizeof info);
    if (got < (ssize_t)sizeof info[0]) return result;
    for (size_t i = 0; i < (size_t)got / sizeof info[0]; i++)
      result |= info[i].ssi_signo == SIGTERM ? 2 : 1;
  }
}

// MARK: Processes on terminals

static void fail(int outcome, char step, int error) {
  unsigned char report[5] = {(unsigned char)step};
  memcpy(report + 1, &error, 4);
  ssize_t ignored = write(outcome, report, sizeof report);
  (void)ignored;
  _exit(127);
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t ignored = write(fd, text, strlen(text));
  (void)ignored;
  close(fd);
}

// The first of the places that has a file that can be executed, by the user whose process it is.
static void execute(const struct holder_command *command, int outcome) {
  int forbidden = 0, last = ENOENT;
  for (int i = 0; command->paths[i]; i++) {
    struct stat status;
    if (command->names) command->argv[0] = command->names[i];
    execve(command->paths[i], command->argv, command->envp);
    last = errno;
    if (!command->paths[1]) fail(outcome, 'x', last);
    if (stat(command->paths[i], &status) || !S_ISREG(status.st_mode)) continue;
    if (last == EACCES) forbidden = 1;
    else if (!command->names) fail(outcome, 'x', last);
  }
  fail(outcome, forbidden ? 'x' : 'n', forbidden ? EACCES : last);
}

// Runs in the child. It returns never.
static void run(const struct holder_command *command, int slave, int outcome) {
  // Handlers there are none; what was ignored is not to be in the command.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0)) fail(outcome, 'p', errno);
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(slave, fd) < 0) fail(outcome, 'p', errno);
  // The outcome's end stays, and is closed by exec.
  int kept = 3;
  if (outcome != kept) {
    if (dup3(outcome, kept, O_CLOEXEC) < 0) fail(outcome, 'p', errno);
    outcome = kept;
  }
  close_from(4);
  // Where memory ends, a session's process goes before what holds all the others.
  write_file("/proc/self/oom_score_adj", "300");
  if (command->cgroup) {
    char path[PATH_MAX];
    if (JOIN(path, command->cgroup, "/cgroup.procs")) write_file(path, "0");
  }
  struct rlimit files = {.rlim_cur = command->files_soft, .rlim_max = command->files_hard};
  if (command->files_hard || files_at_start.rlim_max)
    setrlimit(RLIMIT_NOFILE, command->files_hard ? &files : &files_at_start);
  if (command->has_user &&
      (setgroups(command->group_count, command->groups) || setresgid(command->gid, command->gid, command->gid) ||
       setresuid(command->uid, command->uid, command->uid)))
    fail(outcome, 'u', errno);
  const char *directory = command->directory ? command->directory : "/";
  if (chdir(directory) && (!command->is_directory_preferred || chdir("/"))) fail(outcome, 'd', errno);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execute(command, outcome);
}

int holder_start(const struct holder_command *command, struct holder_process *out) {
  int pipes[2] = {-1, -1}, slave = -1, error = 0;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (master < 0) return -errno;
  if (grantpt(master) || unlockpt(master)) error = errno;
  if (!error) error = -holder_resize(master, command->columns, command->rows);
  // By the master and not by name: in a container /dev/pts may be another one.
  if (!error && (slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) error = errno;
  struct termios modes;
  if (!error && tcgetattr(slave, &modes) == 0) {
    modes.c_iflag |= IUTF8;  // so that erasing takes a whole character
    tcsetattr(slave, TCSANOW, &modes);
  }
  if (!error && command->has_user && fchown(slave, command->uid, (gid_t)-1)) error = errno;
  if (!error && pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) error = errno;
  if (!error) {
    // A plain fork: this process is small, and with vfork a directory that hangs would hang it.
    pid_t pid = fork();
    if (pid < 0) error = errno;
    if (pid == 0) run(command, slave, pipes[1]);
    out->pid = pid;
  }
  holder_close(slave);
  holder_close(pipes[1]);
  if (error) {
    holder_close(pipes[0]);
    close(master);
    return -error;
  }
  out->master = master;
  out->outcome = pipes[0];
  return 0;
}

int holder_outcome(int fd, char *step) {
  unsigned char report[5];
  int error;
  if (holder_read(fd, report, sizeof report) != sizeof report) return 0;
  *step = (char)report[0];
  memcpy(&error, report + 1, 4);
  return error ? error : EIO;
}

int holder_resize(int master, uint16_t columns, uint16_t rows) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return ioctl(master, TIOCSWINSZ, &size) ? -errno : 0;
}

int holder_discard_input(int master, uint8_t key) {
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

pid_t holder_foreground(int master) {
  pid_t group = 0;
  return ioctl(master, TIOCGPGRP, &group) ? -1 : group;
}

void holder_signal(pid_t group, int number) {
  if (group > 1) kill(-group, number);
}

pid_t holder_reap(int *kind, int *value) {
  int status;
  pid_t pid;
  do pid = waitpid(-1, &status, WNOHANG);
  while (pid < 0 && errno == EINTR);
  if (pid <= 0) return 0;
  *kind = WIFSIGNALED(status) ? 2 : 1;
  *value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return pid;
}

// Whether the file, of lines that end by 0, has a line that is `wanted`. At most a megabyte of it.
static int has_line(const char *path, const char *wanted) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  static char text[1 << 20];
  size_t count = 0;
  ssize_t got;
  while (count < sizeof text && (got = holder_read(fd, text + count, sizeof text - count)) > 0) count += (size_t)got;
  close(fd);
  size_t length = strlen(wanted) + 1;
  for (size_t at = 0; at + length <= count;) {
    if (memcmp(text + at, wanted, length) == 0) return 1;
    const char *end = memchr(text + at, 0, count - at);
    if (!end) return 0;
    at = (size_t)(end - text) + 1;
  }
  return 0;
}

// Kills each process that carries the mark, this one excepted. Returns how many there were.
static int kill_marked(const char *mark) {
  DIR *processes = opendir("/proc");
  struct dirent *entry;
  int found = 0;
  while (processes && (entry = readdir(processes))) {
    char *end;
    long pid = strtol(entry->d_name, &end, 10);
    if (*end || pid <= 1 || pid == getpid() || pid == getppid()) continue;
    char path[64], digits[21];
    if (!JOIN(path, "/proc/", decimal(digits, (uint64_t)pid), "/environ") || !has_line(path, mark)) continue;
    found++;
    kill((pid_t)pid, SIGKILL);
  }
  if (processes) closedir(processes);
  return found;
}

pid_t holder_kill_marked(const char *mark, unsigned seconds, int looks, int looks_at_once, unsigned pause_ms) {
  pid_t child = fork();
  if (child != 0) return child;
  close_from(3);
  alarm(seconds);  // SIGALRM ends it: a /proc that hangs holds nobody else up
  // Among processes that fork without end it would hardly have a turn.
  setpriority(PRIO_PROCESS, 0, -20);
  // One that is forked while this looks has a number behind the others, mostly: it is found in the same look. At first
  // without a pause, then with one, for those that are dying or may not be killed.
  for (int look = 0; look < looks; look++) {
    if (kill_marked(mark) == 0) _exit(0);
    if (look >= looks_at_once) usleep(pause_ms * 1000);
  }
  _exit(1);
}

int holder_look(pid_t leader, unsigned seconds) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC)) return -errno;
  pid_t child = fork();
  if (child < 0) {
    int error = -errno;
    close(pipes[0]);
    close(pipes[1]);
    return error;
  }
  if (child > 0) {
    close(pipes[1]);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    return pipes[0];
  }
  // What the holder has open is not to stay open where /proc hangs.
  int out = 3;
  if (pipes[1] != out && dup2(pipes[1], out) < 0) _exit(1);
  close_from(4);
  alarm(seconds);
  char path[64], text[4096], digits[21];
  const char *number = decimal(digits, (uint64_t)leader);
  int fd = JOIN(path, "/proc/", number, "/cmdline") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t count = fd < 0 ? 0 : holder_read(fd, text, sizeof text);
  for (ssize_t i = 0; i < count; i++)
    if (text[i] == '\n') text[i] = ' ';
  ssize_t ignored = count > 0 ? write(out, text, (size_t)count) : 0;
  ignored = write(out, "\n", 1);
  count = JOIN(path, "/proc/", number, "/cwd") ? readlink(path, text, sizeof text) : -1;
  if (count > 0) ignored = write(out, text, (size_t)count);
  (void)ignored;
  _exit(0);
}

// MARK: Control groups

int holder_cgroup_make(uint64_t name, char *path, size_t capacity) {
  char own[PATH_MAX];
  int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t count = holder_read(fd, own, sizeof own - 1);
  close(fd);
  if (count <= 0) return -ENOENT;
  own[count] = 0;
  // The line of version 2: 0::/path
  char *line = strstr(own, "0::/");
  if (!line || (line != own && line[-1] != '\n')) return -ENOENT;
  line += 3;
  char *end = strchr(line, '\n');
  if (end) *end = 0;
  char pid[21], digits[21], file[PATH_MAX + 16];
  const char *const parts[] = {
      "/sys/fs/cgroup", strcmp(line, "/") ? line : "", "/fairlead-", decimal(pid, (uint64_t)getpid()), "-",
      decimal(digits, name), NULL};
  if (!join(path, capacity, parts) || !JOIN(file, path, "/cgroup.kill")) return -ENAMETOOLONG;
  if (mkdir(path, 0755)) return -errno;
  if (access(file, W_OK)) {
    int error = -errno;
    rmdir(path);
    return error;
  }
  return 0;
}

int holder_cgroup_kill(const char *path) {
  char file[PATH_MAX + 16];
  if (!JOIN(file, path, "/cgroup.kill")) return -ENAMETOOLONG;
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t put = holder_write(fd, "1", 1);
  close(fd);
  return put < 0 ? (int)put : 0;
}

int holder_cgroup_remove(const char *path) { return rmdir(path) ? -errno : 0; }
