// A process on a new pseudo-terminal, how children end, and what a process sets for itself. In C
// because posix_openpt, ptsname_r and prctl are hidden from Swift, and because nothing of Swift may run
// between clone and exec.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Another user to run as.
struct cpty_user {
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  size_t group_count;
};

struct cpty_command {
  // Tried in turn, by the user that it runs as; ends with NULL.
  char *const *paths;
  // Argument 0 for each of them; NULL: as argv says, and what is there and fails is not followed by another.
  char *const *names;
  // The one path is the program's own, not one where it was looked for.
  int is_path;
  char **argv;
  char *const *envp;
  // Where it starts; NULL: where this process is. One that is only preferred may be missing: then /.
  const char *directory;
  int is_directory_preferred;
  unsigned short columns, rows;
  const struct cpty_user *user;  // NULL: as this process
  // RLIMIT_NOFILE for it; a hard limit of 0: as this process has it.
  uint64_t files_soft, files_hard;
  // Milliseconds in which another user's process is to come to execute its program. (One that stays the same user
  // keeps the caller until it does.)
  int patience;
  pid_t *told;  // gets its number as soon as there is one, before it runs
};

struct cpty_process {
  pid_t pid;   // leader of a new session and process group
  int master;  // close-on-exec, over 2
};

// Starts it. Returns 0, or the errno of the step that failed; *step then says which: 'p' no pseudo-terminal, 'f' no
// process, 'u' the user, 'd' the directory, 'n' the program is nowhere, 'x' it cannot be executed, 't' it did not come
// to that in time, and was killed. A process of which out->pid is over 0 is the caller's to reap, also then.
int cpty_spawn(const struct cpty_command *command, struct cpty_process *out, char *step);

// What has been told to there so far, from any thread.
pid_t cpty_told(const pid_t *told);

// Reaps the child: 1 and the wait status if it has ended, 0 if not yet, -1 if there is no such child.
int cpty_reap(pid_t pid, int *exit_code, int *signal_number);

// Waits until some child has ended, and tells which without reaping it. 0: there is no child at all.
pid_t cpty_wait_any(void);

// RLIMIT_NOFILE. Returns 0 or an errno.
int cpty_files(uint64_t *soft, uint64_t *hard);
int cpty_set_files(uint64_t soft, uint64_t hard);

// Other processes of the same user may no longer look into this one: its memory, its environment.
int cpty_conceal(void);
