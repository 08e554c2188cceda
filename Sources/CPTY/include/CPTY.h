// A process on a new pseudo-terminal. In C because posix_openpt, ptsname_r and the newer
// posix_spawn actions are hidden from Swift, and because nothing of Swift may run between fork
// and exec.
#pragma once
#include <sys/types.h>

struct cpty_process {
  pid_t pid;   // leader of a new session and process group
  int master;  // close-on-exec
  int pidfd;   // readable when the leader has exited; close-on-exec; -1 where the kernel has none
};

// Starts path with argv and envp in directory (NULL: as it is) on a terminal of the given size.
// Returns 0, or the errno of the step that failed; *step then says which: 'p' no pseudo-terminal,
// 'd' the directory, 'x' the program.
int cpty_spawn(const char *path, char *const argv[], char *const envp[], const char *directory,
               unsigned short columns, unsigned short rows, struct cpty_process *out, char *step);

// Returns 0 or an errno.
int cpty_resize(int master, unsigned short columns, unsigned short rows);

// Process group in the terminal's foreground, or -1.
pid_t cpty_foreground(int master);

// If the terminal makes a signal of the key and discards its input for that: discards what was not read
// yet, and returns 1. Else 0. Needs Linux 4.13.
int cpty_discard_input(int master, unsigned char key);

// Reaps the child: 1 and the wait status if it has ended, 0 if not yet, -1 if it is not ours.
int cpty_reap(pid_t pid, int *exit_code, int *signal_number);

// A set of pidfds to wait on: a new one, or -1; adding, 0 or an errno; waiting, the number of pidfds
// written to `exited`, at most `max`, or -1. To be removed before it is closed.
int cpty_exits_create(void);
int cpty_exits_add(int set, int pidfd);
void cpty_exits_remove(int set, int pidfd);
int cpty_exits_wait(int set, int *exited, int max);
