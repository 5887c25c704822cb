// Runs named cases one after the other and prints `ok`, `skip` and `FAIL` lines.
const commands = new Set(process.env.OCHRE_COMMANDS.split(" "));

export async function run(cases, needs) {
  let failed = false;
  for (const [name, work] of Object.entries(cases)) {
    const missing = (needs[name] ?? []).filter((command) => !commands.has(command));
    if (missing.length) {
      console.log(`skip ${name}: needs ${missing.join(" ").toUpperCase()}`);
      continue;
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("took more than 20 s")), 20000);
    });
    try {
      await Promise.race([work(), late]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}: ${String(error.stack).split("\n").slice(0, 4).join(" | ")}`);
    }
    clearTimeout(timer);
  }
  process.exit(failed ? 1 : 0);
}
