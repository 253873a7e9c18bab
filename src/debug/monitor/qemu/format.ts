/** How memory is shown where a command does not say: as the last one did. */
export interface ExamineFormat {
  readonly letter: string;
  readonly size: number;
}

export const FIRST_FORMAT: ExamineFormat = { letter: "x", size: 4 };
