import { type Finding, findingText } from '@trafficcopy/runtime';

/** Findings about one thing. */
export interface Chapter {
  readonly title: 'this host' | 'copy' | 'intercept';
  readonly findings: readonly Finding[];
}

/** Writes what was found. Returns the exit code: 1 when something keeps the host from copying. */
export function writeDoctorReport(
  chapters: readonly Chapter[],
  isJson: boolean,
  stdout: { write(text: string): unknown },
): number {
  const failures = chapters.flatMap(({ findings }) => findings).filter(({ verdict }) => verdict === 'fail').length;
  if (isJson) {
    stdout.write(`${JSON.stringify({ failures, chapters }, undefined, 2)}\n`);
  } else {
    for (const { title, findings } of chapters) {
      stdout.write(`${title === 'this host' ? title : `for ${title}`}:\n`);
      for (const finding of findings) stdout.write(`${findingText(finding)}\n`);
    }
    stdout.write(
      failures === 0 ? 'nothing keeps this host from copying\n' : `${failures} of these keep it from copying\n`,
    );
  }
  return failures === 0 ? 0 : 1;
}
