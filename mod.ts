// The command when run, the library when imported.

export {};
