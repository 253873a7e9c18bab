/* What every guest has. TURNS says how much it works; main's low 6 bits are the exit code,
 * the same on whatever it runs. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef __SIZE_TYPE__ word;

/* Memory that no program was loaded into; 64 MiB and more. */
#define HEAP ((u8 *)0x1000000)

/* A sequence of numbers without a pattern. */
static inline u32 next(u32 *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}
