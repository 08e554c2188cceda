// What the holder needs of the system. In C because the holder is compiled as Embedded Swift, which has no Glibc
// module, and because nothing of Swift may run between fork and exec.
//
// Functions that fail return a negative errno unless they say otherwise.
#pragma once
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: The process itself

// Leaves the caller's session: goes on in a new process that has one of its own, and returns a descriptor there. The
// process started here ends when that one has said its exit status to it. To be called before anything else: what a
// process watches by epoll and signalfd is not its child's.
int holder_detach(void);
// Ends the process started here with the status, and lets go of its standard input, output and error.
void holder_detached(int fd, unsigned char status);

// Hides this process from its user's others: neither its memory nor what it has open is theirs to look at.
void holder_hide(void);

// Closes what was inherited but the standard descriptors and *kept (-1: none; it gets another number), makes the process the reaper of its descendants' orphans, blocks the signals that it reads
// from a descriptor, ignores SIGPIPE and SIGHUP. Returns that descriptor: of SIGCHLD and SIGTERM.
int holder_prepare(int *kept);

// This process's environment, with a NULL at its end.
char *const *holder_environment(void);
// Of a text, without its zero.
long holder_length(const char *text);

void holder_random(void *bytes, size_t count);
// CLOCK_MONOTONIC, in milliseconds: it stands still while the machine sleeps.
uint64_t holder_now(void);

// MARK: Descriptors

// Bytes, 0 at the end, or a negative errno. Interrupted calls are made again.
ssize_t holder_read(int fd, void *bytes, size_t count);
ssize_t holder_write(int fd, const void *bytes, size_t count);
void holder_close(int fd);

// A listening Unix socket at `path`, in a directory that belongs to this user and is no other's; it is made if it is not
// there. An old socket that nobody listens on is replaced; one that somebody does is -EADDRINUSE. A lock beside it
// decides between two that come at once.
int holder_listen(const char *path);
int holder_accept(int listener);
int holder_connect(const char *path);
void holder_remove(const char *path);
// Passes on what comes between standard input and output and the socket, until one of them ends. An exit status.
int holder_relay(int socket);

int holder_epoll(void);
static const int holder_readable = 1, holder_writable = 2;
// `interest` 0 takes it out.
int holder_watch(int epoll, int fd, int interest, int was, uint64_t tag);
struct holder_event {
  uint64_t tag;
  int is_readable, is_writable, is_closed;
};
int holder_wait(int epoll, struct holder_event *events, int capacity, int milliseconds);
// Whether SIGTERM (bit 1) and SIGCHLD (bit 0) have come since it was last asked.
int holder_signals(int fd);

// MARK: Processes on terminals

struct holder_command {
  // Where the program may be, and if there are names, argument 0 for each of them.
  char *const *paths;
  char *const *names;
  char **argv;
  char *const *envp;
  const char *directory;  // NULL: /
  int is_directory_preferred;
  uint16_t columns, rows;
  int has_user;
  uint32_t uid, gid;
  const uint32_t *groups;
  size_t group_count;
  uint64_t files_soft, files_hard;  // RLIMIT_NOFILE; a hard limit of 0: as this process has it
  const char *cgroup;  // a directory of cgroup v2 that it is put into; NULL: none
};

struct holder_process {
  pid_t pid;
  int master;
  // Readable once it is known whether the command runs: at its end it does, else holder_outcome says why not.
  int outcome;
};

// Starts it without waiting for its exec: a directory may hang. 0 or a negative errno.
int holder_start(const struct holder_command *command, struct holder_process *out);
// 0: it runs. Else the errno of the step that failed, and *step: 'p' terminal, 'u' user, 'd' directory, 'x' program,
// 'n' there is none.
int holder_outcome(int fd, char *step);

int holder_resize(int master, uint16_t columns, uint16_t rows);
// If the terminal makes a signal of the key and discards its input for that: discards it, and returns 1.
int holder_discard_input(int master, uint8_t key);
pid_t holder_foreground(int master);
// To the process group.
void holder_signal(pid_t group, int signal);
// Some child that has ended, reaped: its number, with *kind 1: exited, 2: signalled, and the code. 0: none.
pid_t holder_reap(int *kind, int *value);

// In a child process, since /proc may hang: kills each process whose environment holds `mark`, this one excepted, and
// looks again until there is none, for so many `seconds` and `looks` at most, with a pause before each but the first
// `looks_at_once`. Returns that child's number; its exit status is 0 if there
// is none, 1 if some live on.
pid_t holder_kill_marked(const char *mark, unsigned seconds, int looks, int looks_at_once,
                         unsigned pause_ms);

// In a child process: what runs at the terminal. Its answer is read from the descriptor that is returned: the command
// line of `leader`, a line end, and the working directory of `leader`; at most 8 KiB.
int holder_look(pid_t leader, unsigned seconds);

// MARK: Control groups

// Makes a group for a session beside this process, and writes its directory to `path`. 0, or a negative errno where
// none may be made.
int holder_cgroup_make(uint64_t name, char *path, size_t capacity);
// Kills all that is in it. 0 or a negative errno.
int holder_cgroup_kill(const char *path);
// 0 or a negative errno: -EBUSY as long as somebody is in it.
int holder_cgroup_remove(const char *path);
