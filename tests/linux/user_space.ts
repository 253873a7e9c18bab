// A shell script of 200 commands whose output is known, made here from a list so
// that command and expectation stand together.

interface Step {
  readonly command: string;
  readonly output: string;
}

const step = (command: string, output: string): Step => ({ command, output });
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

/** Integer arithmetic of the shell. */
const arithmetic = range(1, 40).map((n) =>
  step(
    `echo $(( ${n} * ${n} * 7919 % 1009 + (${n} << 3 ^ ${n}) ))`,
    `${n * n * 7919 % 1009 + (n << 3 ^ n)}`,
  )
);

/** Floating point in awk (Debian's has no functions like sqrt). */
const floating = range(1, 30).map((n) =>
  step(
    `awk 'BEGIN { x = 1; for (i = 1; i <= ${n}; i++) x = (x + ${n} / x) / 2; printf "%.9f\\n", x }'`,
    newton(n).toFixed(9),
  )
);

/** The square root of n after n steps of Newton's method. */
function newton(n: number): number {
  let x = 1;
  for (let i = 1; i <= n; i++) x = (x + n / x) / 2;
  return x;
}

const sorting = range(1, 20).map((n) =>
  step(
    `seq 1 ${n * 7} | sort -rn | head -n 1`,
    `${n * 7}`,
  )
);

const loops = range(1, 20).map((n) =>
  step(
    `total=0; for i in $(seq 1 ${
      n * 3
    }); do total=$((total + i)); done; echo $total`,
    `${sum(range(1, n * 3))}`,
  )
);

const gzip = range(1, 15).map((n) =>
  step(
    `seq 1 ${n * 500} | gzip | gunzip | awk '{ s += $1 } END { print s, NR }'`,
    `${sum(range(1, n * 500))} ${n * 500}`,
  )
);

const blocks = range(1, 15).map((n) =>
  step(
    `dd if=/dev/zero bs=${n}k count=3 2>/dev/null | wc -c`,
    `${n * 1024 * 3}`,
  )
);

const text = range(1, 20).map((n) =>
  step(
    `printf 'line %03d\\n' ${n} ${
      n + 1
    } | sed 's/line/row/' | tr a-z A-Z | tail -n 1`,
    `ROW ${String(n + 1).padStart(3, "0")}`,
  )
);

const jobs = range(1, 10).map((n) =>
  step(
    `(exit ${n}) & wait $!; echo "status $?"`,
    `status ${n}`,
  )
);

const others: Step[] = [
  step("printf abc | md5sum", "900150983cd24fb0d6963f7d28e17f72  -"),
  step(
    "printf abc | sha256sum",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -",
  ),
  step("printf abc | sha1sum", "a9993e364706816aba3e25717850c26c9cd0d89d  -"),
  step("printf hello | base64", "aGVsbG8="),
  step("printf aGVsbG8= | base64 -d; echo", "hello"),
  step("mkdir /mnt; mount -t tmpfs none /mnt && echo mounted", "mounted"),
  step("cd /mnt; echo content > file; cat file; cd /", "content"),
  step("ln -s file /mnt/link; cat /mnt/link", "content"),
  step("cp /mnt/file /mnt/copy; cmp /mnt/file /mnt/copy && echo same", "same"),
  step(
    "mv /mnt/copy /mnt/moved; ls /mnt | tr '\\n' ' '; echo",
    "file link moved ",
  ),
  step("chmod 640 /mnt/file; stat -c %a /mnt/file", "640"),
  step(
    "find /mnt -type f | sort | tr '\\n' ' '; echo",
    "/mnt/file /mnt/moved ",
  ),
  step("tar -C /mnt -cf - file | tar -tf -", "file"),
  step("grep -c o /mnt/file", "1"),
  step("umount /mnt && ls /mnt | wc -l", "0"),
  step("sleep 100 & kill $!; wait $! 2>/dev/null; echo $?", "143"),
  step("sleep 1; echo slept", "slept"),
  step("(sleep 1; echo late) & echo early; wait", "early\nlate"),
  step("trap 'echo caught' USR1; kill -USR1 $$; trap - USR1", "caught"),
  step('f() { echo "$1-$2"; }; f a b', "a-b"),
  step("case x7 in x[0-9]) echo digit;; esac", "digit"),
  step("echo one two three | cut -d' ' -f2", "two"),
  step("echo 'b a c' | tr ' ' '\\n' | sort | xargs", "a b c"),
  step("yes | head -n 1000 | uniq -c | awk '{ print $1, $2 }'", "1000 y"),
  step("expr 12345 \\* 6789", `${12345 * 6789}`),
  step("echo '2^100' | bc", "1267650600228229401496703205376"),
  step("echo '5 3 * p' | dc", "15"),
  step(
    "awk 'BEGIN { printf \"%.6f %e\\n\", 355 / 113, 1 / 3e7 }'",
    "3.141593 3.333333e-08",
  ),
  step(
    "awk 'BEGIN { printf \"%.0f\\n\", 65536 * 65536 + 0.25 }'",
    "4294967296",
  ),
  step("wc -c < /bin/busybox | awk '{ print ($1 > 500000) }'", "1"),
];

/** All steps, in order. */
export const USER_SPACE_STEPS: readonly Step[] = [
  ...arithmetic,
  ...floating,
  ...sorting,
  ...loops,
  ...gzip,
  ...blocks,
  ...text,
  ...jobs,
  ...others,
];

/** The script for the guest. */
export const USER_SPACE_SCRIPT = [
  "echo BEGIN",
  ...USER_SPACE_STEPS.map(({ command }) => command),
  "echo END",
  "",
].join("\n");

/** What it prints between BEGIN and END. */
export const USER_SPACE_EXPECTED = USER_SPACE_STEPS.map(({ output }) =>
  `${output}\n`
).join("");
