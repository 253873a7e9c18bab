/* What a 32-bit kernel's debugger looks at: frames, structures, values. */

struct process {
  int pid;
  const char *name;
  struct process *parent;
};

struct process init = {1, "init", 0};
struct process shell = {2, "sh", &init};
volatile unsigned ticks;
volatile int mode;

void to_long(void);

__attribute__((noinline)) int schedule(struct process *next, int slice) {
  int left = slice * next->pid;
  ticks += left;
  return left + 1;
}

__attribute__((noinline)) long long wide(int high) {
  return ((long long)high << 32) | 7;
}

int depth(struct process *p) {
  if (!p->parent)
    return 1;
  return 1 + depth(p->parent);
}

int kernel(void) {
  int left = schedule(&shell, 10);
  wide(left);
  ticks = depth(&shell);
  if (mode)
    to_long();
  return 0;
}
